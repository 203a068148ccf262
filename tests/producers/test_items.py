"""What may happen to an item."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from producers.items import EARLY_MAX, items
from schemas.items import (
    IMAGES_MAX,
    AddItemImage,
    AddItemImages,
    CreateItem,
    DeleteItem,
    FailItemImage,
    ImageProcessing,
    ItemActivated,
    ItemCategory,
    ItemChanges,
    ItemCondition,
    ItemCreated,
    ItemDeleted,
    ItemFields,
    ItemImage,
    ItemImageAdded,
    ItemImageFailed,
    ItemImageRemoved,
    ItemImagesAdded,
    ItemImagesSettled,
    ItemTerms,
    ItemUpdated,
    RemoveItemImage,
    StopWaitingForImages,
    UpdateItem,
)
from schemas.log.messages import Role
from schemas.media import ImageVariants
from tests.producers.spec import Spec

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ITEM, OWNER, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)
ONE, TWO, THREE = UUID(int=11), UUID(int=12), UUID(int=13)
CAMPUS, ELSEWHERE = "cs.uni.example", "law.uni.example"
TERMS = ItemTerms(
    title="Calculator",
    description="Used for two terms",
    price=Decimal("4500.50"),
    category=ItemCategory.ELECTRONICS,
    condition=ItemCondition.GOOD,
)
FIELDS = ItemFields(
    title="Calculator",
    description="Used for two terms",
    price_minor=450_050,
    currency="LKR",
    category=ItemCategory.ELECTRONICS,
    condition=ItemCondition.GOOD,
)

spec = Spec(items)


def variants(name: str) -> ImageVariants:
    return ImageVariants(thumbnail=f"{name}-s", medium=f"{name}-m", large=f"{name}-l")


def asked(by: UUID | str = OWNER, role: Role = Role.BUYER) -> dict[str, Any]:
    return {"item_id": ITEM, "asked_at": NOW, "asked_by": str(by), "asked_role": role}


SYSTEM = asked("reaction/test", Role.SYSTEM)


def create(*images: UUID, **terms: Any) -> CreateItem:
    stated = TERMS.model_copy(update=terms)
    return CreateItem(email_domain=CAMPUS, terms=stated, images=images or (ONE,), **asked())


def created(*images: ItemImage) -> ItemCreated:
    return ItemCreated(
        item_id=ITEM,
        owner_id=OWNER,
        email_domain=CAMPUS,
        fields=FIELDS,
        images=images or (ItemImage(media_id=ONE),),
        created_at=NOW,
    )


def drawn(media_id: UUID, name: str = "a") -> AddItemImage:
    return AddItemImage(media_id=media_id, variants=variants(name), **SYSTEM)


def failed(media_id: UUID) -> FailItemImage:
    return FailItemImage(media_id=media_id, **SYSTEM)


def was_drawn(media_id: UUID, name: str = "a") -> ItemImageAdded:
    return ItemImageAdded(item_id=ITEM, media_id=media_id, variants=variants(name), added_at=NOW)


def was_failed(media_id: UUID) -> ItemImageFailed:
    return ItemImageFailed(item_id=ITEM, media_id=media_id, failed_at=NOW)


def gone(media_id: UUID) -> RemoveItemImage:
    return RemoveItemImage(media_id=media_id, **SYSTEM)


def was_removed(media_id: UUID) -> ItemImageRemoved:
    return ItemImageRemoved(item_id=ITEM, media_id=media_id, removed_at=NOW)


def settled(outcome: str) -> ItemImagesSettled:
    return ItemImagesSettled(item_id=ITEM, outcome=ImageProcessing(outcome), settled_at=NOW)


ACTIVATED = ItemActivated(item_id=ITEM, activated_at=NOW)
DELETED = ItemDeleted(item_id=ITEM, images=(ONE,), deleted_at=NOW)
ON_OFFER = (created(), was_drawn(ONE), settled("completed"), ACTIVATED)
TIMED_OUT = (created(), settled("failed"), ACTIVATED)


def test_IT_01_a_new_item_waits_for_its_images() -> None:
    spec.when(create()).then(created())


def test_IT_01_an_item_is_created_once() -> None:
    spec.given(created()).when(create()).refused("item_exists")
    spec.given(*ON_OFFER, DELETED).when(create()).refused("item_exists")


def test_IT_02_an_item_without_images_can_not_even_be_asked_for() -> None:
    with pytest.raises(ValidationError):
        CreateItem(email_domain=CAMPUS, terms=TERMS, images=(), **asked())


def test_IT_03_owner_and_campus_are_the_askers() -> None:
    (event,) = spec.when(create()).decided()
    assert isinstance(event, ItemCreated)
    assert (event.owner_id, event.email_domain) == (OWNER, CAMPUS)


@pytest.mark.parametrize(
    ("price", "currency", "minor"),
    [("4500.5", "LKR", 450_050), ("0", "LKR", 0), ("12", "JPY", 12), ("0.1", "INR", 10)],
)
def test_IT_03_a_price_is_kept_in_the_smallest_unit(price, currency, minor) -> None:
    (event,) = spec.when(create(price=Decimal(price), currency=currency)).decided()
    assert (event.fields.price_minor, event.fields.currency) == (minor, currency)


@pytest.mark.parametrize(("price", "currency"), [("1.005", "LKR"), ("1.5", "JPY")])
def test_IT_03_what_the_currency_has_no_unit_for_is_refused(price, currency) -> None:
    command = create(price=Decimal(price), currency=currency)
    spec.when(command).refused("invalid_field", 422, ["/price"])


@pytest.mark.parametrize(
    "price", ["abc", "-1", "1e999", "NaN", "Infinity", "-Infinity", "", "1e13", "1.00001"]
)
def test_IT_03_what_is_no_price_is_no_price(price) -> None:
    with pytest.raises(ValidationError):
        ItemTerms.model_validate({**TERMS.model_dump(), "price": price})


def test_IT_06_it_is_active_when_its_only_image_is_drawn() -> None:
    spec.given(created()).when(drawn(ONE)).then(was_drawn(ONE), settled("completed"), ACTIVATED)


def test_IT_06_it_is_active_without_its_image_when_that_failed() -> None:
    spec.given(created()).when(failed(ONE)).then(was_failed(ONE), settled("failed"), ACTIVATED)


def two() -> ItemCreated:
    return created(ItemImage(media_id=ONE), ItemImage(media_id=TWO))


def test_IT_06_it_waits_for_the_last_image() -> None:
    spec.given(two()).when(drawn(ONE)).then(was_drawn(ONE))
    spec.given(two(), was_drawn(ONE)).when(drawn(TWO, "b")).then(
        was_drawn(TWO, "b"), settled("completed"), ACTIVATED
    )


def test_IT_06_one_image_that_failed_makes_a_failure_of_all() -> None:
    spec.given(two(), was_failed(ONE)).when(drawn(TWO)).then(
        was_drawn(TWO), settled("failed"), ACTIVATED
    )


def test_IT_06_an_image_that_comes_twice_comes_once() -> None:
    spec.given(*ON_OFFER).when(drawn(ONE)).then()
    spec.given(*ON_OFFER).when(failed(ONE)).then()
    spec.given(*TIMED_OUT, was_failed(ONE)).when(failed(ONE)).then()


def test_IT_06_an_image_that_it_has_not_is_known_of_and_settles_nothing() -> None:
    for history in ((created(),), ON_OFFER, TIMED_OUT):
        spec.given(*history).when(drawn(TWO)).then(was_drawn(TWO))
        spec.given(*history).when(failed(TWO)).then(was_failed(TWO))
        spec.given(*history, was_drawn(TWO)).when(drawn(TWO)).then()
        spec.given(*history, was_drawn(TWO)).when(failed(TWO)).then()
    spec.given(*ON_OFFER, DELETED).when(drawn(ONE)).then()
    spec.given(*ON_OFFER, DELETED).when(drawn(TWO)).then()


def add(*images: UUID, by: UUID = OWNER, role: Role = Role.BUYER) -> AddItemImages:
    return AddItemImages(email_domain=CAMPUS, media_ids=images, **asked(by, role))


def were_added(*images: ItemImage) -> ItemImagesAdded:
    return ItemImagesAdded(item_id=ITEM, images=images, added_at=NOW)


def test_ME_12_more_images_stand_behind_the_others_and_wait_to_be_drawn() -> None:
    both = were_added(ItemImage(media_id=TWO), ItemImage(media_id=THREE))
    for history in (ON_OFFER, (created(),)):
        spec.given(*history).when(add(TWO, THREE, TWO, ONE)).then(both)
        spec.given(*history, both).when(add(TWO)).then()
    spec.given(*ON_OFFER, both).when(drawn(TWO)).then(was_drawn(TWO))
    spec.given(*ON_OFFER, both, was_drawn(TWO)).when(failed(THREE)).then(
        was_failed(THREE), settled("failed")
    )
    spec.given(created(), both, was_drawn(TWO), was_drawn(THREE)).when(drawn(ONE)).then(
        was_drawn(ONE), settled("completed"), ACTIVATED
    )


def test_ME_12_one_that_was_drawn_before_it_was_added_is_not_lost() -> None:
    known = were_added(ItemImage(media_id=TWO, variants=variants("a")))
    spec.given(*ON_OFFER, was_drawn(TWO)).when(add(TWO)).then(known)
    spec.given(created(), was_drawn(TWO)).when(add(TWO)).then(known)
    spec.given(*ON_OFFER, was_drawn(TWO), known).when(drawn(TWO, "b")).then(was_drawn(TWO, "b"))


def test_ME_12_one_that_failed_or_is_gone_is_not_added() -> None:
    spec.given(*ON_OFFER, was_failed(TWO)).when(add(TWO)).then()
    spec.given(*ON_OFFER, was_drawn(TWO), was_removed(TWO)).when(add(TWO)).then()
    spec.given(*ON_OFFER, was_drawn(TWO)).when(gone(TWO)).then(was_removed(TWO))


def test_ME_12_what_was_meant_for_an_item_goes_with_it() -> None:
    both = ItemDeleted(item_id=ITEM, images=(ONE, TWO), deleted_at=NOW)
    spec.given(*ON_OFFER, was_drawn(TWO)).when(delete()).then(both)


def test_ME_12_an_item_has_ten_images_at_most() -> None:
    nine = [UUID(int=100 + number) for number in range(IMAGES_MAX - 1)]
    full = (*ON_OFFER, were_added(*(ItemImage(media_id=each) for each in nine)))
    spec.given(*ON_OFFER).when(add(*nine, TWO)).refused("too_many_images", 422, ["/images"])
    spec.given(*full).when(add(TWO)).refused("too_many_images", 422, ["/images"])
    spec.given(*full, was_removed(nine[0])).when(add(TWO)).then(were_added(ItemImage(media_id=TWO)))


def test_ME_12_what_is_known_of_others_is_bounded() -> None:
    others = [UUID(int=1_000 + number) for number in range(EARLY_MAX + 1)]
    history = (*ON_OFFER, *(was_drawn(each) for each in others))
    last = ItemImage(media_id=others[-1], variants=variants("a"))
    spec.given(*history).when(add(others[-1])).then(were_added(last))
    spec.given(*history).when(add(others[0])).then(were_added(ItemImage(media_id=others[0])))


def test_ME_12_its_owner_alone_adds_images() -> None:
    for by, role in ((OTHER, Role.BUYER), (OTHER, Role.MODERATOR), (OTHER, Role.ADMIN)):
        spec.given(*ON_OFFER).when(add(TWO, by=by, role=role)).refused("not_owner", 403)
    spec.given(created()).when(add(TWO, by=OTHER)).refused("item_unknown", 404)
    spec.given(*ON_OFFER, DELETED).when(add(TWO)).refused("item_deleted", 410)
    spec.when(add(TWO)).refused("item_unknown", 404)


def test_IT_06_an_image_drawn_before_the_item_comes_is_not_lost() -> None:
    spec.when(drawn(ONE)).then(was_drawn(ONE))
    known = ItemImage(media_id=ONE, variants=variants("a"))
    spec.given(was_drawn(ONE)).when(create()).then(created(known), settled("completed"), ACTIVATED)
    lost = ItemImage(media_id=ONE, failed=True)
    spec.given(was_failed(ONE)).when(create()).then(created(lost), settled("failed"), ACTIVATED)


@pytest.mark.parametrize("order", permutations([create(ONE, TWO), drawn(ONE), drawn(TWO, "b")]))
def test_IT_06_in_whatever_order_they_come_the_end_is_the_same(order) -> None:
    history: list[Any] = []
    for command in order:
        history += spec.given(*history).when(command).decided()
    state = items.fold(history)
    assert state.complete
    assert state.images == {ONE: variants("a"), TWO: variants("b")}
    assert history.count(ACTIVATED) == 1


def test_IT_05_it_is_active_and_failed_when_waiting_is_over() -> None:
    spec.given(created()).when(StopWaitingForImages(**SYSTEM)).then(settled("failed"), ACTIVATED)


def test_IT_05_what_is_active_waits_no_more() -> None:
    for history in (ON_OFFER, TIMED_OUT, (*ON_OFFER, DELETED), ()):
        spec.given(*history).when(StopWaitingForImages(**SYSTEM)).then()


def test_IT_05_a_late_success_wins() -> None:
    spec.given(*TIMED_OUT).when(drawn(ONE)).then(was_drawn(ONE), settled("completed"))
    spec.given(*TIMED_OUT, was_failed(ONE)).when(drawn(ONE)).then(
        was_drawn(ONE), settled("completed")
    )


def test_IT_05_a_late_failure_says_nothing_new() -> None:
    spec.given(*TIMED_OUT).when(failed(ONE)).then(was_failed(ONE))


def test_ME_05_of_an_image_that_is_deleted_nothing_is_shown_any_more() -> None:
    spec.given(*ON_OFFER).when(gone(ONE)).then(was_removed(ONE))
    spec.given(*ON_OFFER, was_removed(ONE)).when(gone(ONE)).then()
    spec.given(*ON_OFFER, was_removed(ONE)).when(drawn(ONE, "b")).then()


def test_ME_05_an_item_waits_no_more_for_an_image_that_is_deleted() -> None:
    spec.given(created()).when(gone(ONE)).then(was_removed(ONE), settled("completed"), ACTIVATED)
    spec.given(two()).when(gone(ONE)).then(was_removed(ONE))
    spec.given(two(), was_drawn(ONE)).when(gone(TWO)).then(
        was_removed(TWO), settled("completed"), ACTIVATED
    )


def test_ME_05_without_the_image_that_failed_all_are_drawn() -> None:
    spec.given(*TIMED_OUT).when(gone(ONE)).then(was_removed(ONE), settled("completed"))


def test_ME_05_a_foreign_image_that_is_deleted_changes_nothing() -> None:
    for history in (ON_OFFER, (), (*ON_OFFER, DELETED)):
        spec.given(*history).when(gone(TWO)).then()
    spec.given(*ON_OFFER, DELETED).when(gone(ONE)).then()


@pytest.mark.parametrize("kind", [drawn, failed, gone, StopWaitingForImages])
def test_IT_06_nobody_tells_of_images_by_hand(kind) -> None:
    whole = kind(ONE) if kind is not StopWaitingForImages else kind(**SYSTEM)
    by_hand = whole.model_copy(update={"asked_by": str(OWNER), "asked_role": Role.ADMIN})
    spec.given(created()).when(by_hand).refused("role_not_allowed", 403)


def update(campus: str = CAMPUS, by: UUID = OWNER, **changes: Any) -> UpdateItem:
    clear = changes.pop("clear", ())
    return UpdateItem(email_domain=campus, changes=ItemChanges(**changes), clear=clear, **asked(by))


def updated(**changes: Any) -> ItemUpdated:
    return ItemUpdated(item_id=ITEM, fields=FIELDS.model_copy(update=changes), updated_at=NOW)


def test_IT_11_only_what_differs_is_a_fact() -> None:
    spec.given(*ON_OFFER).when(update(title="Calculator", price="4500.50")).then()
    spec.given(*ON_OFFER).when(update(title="Abacus")).then(updated(title="Abacus"))
    spec.given(*ON_OFFER).when(update(price="4000")).then(updated(price_minor=400_000))
    spec.given(*ON_OFFER).when(update(clear=("description",))).then(updated(description=None))


def test_IT_11_an_item_is_changed_while_its_images_are_drawn() -> None:
    spec.given(created()).when(update(title="Abacus")).then(updated(title="Abacus"))


def test_IT_11_another_currency_is_another_price() -> None:
    spec.given(*ON_OFFER).when(update(currency="USD")).refused("invalid_field", 422, ["/price"])
    spec.given(*ON_OFFER).when(update(currency="USD", price="15")).then(
        updated(currency="USD", price_minor=1_500)
    )


def test_IT_11_stated_and_emptied_is_refused() -> None:
    command = update(description="New", clear=("description",))
    spec.given(*ON_OFFER).when(command).refused("invalid_field", 422, ["/description"])


def delete(campus: str | None = CAMPUS, by: UUID = OWNER, role: Role = Role.BUYER) -> DeleteItem:
    return DeleteItem(email_domain=campus, **asked(by, role))


def test_IT_11_its_owner_deletes_it() -> None:
    spec.given(*ON_OFFER).when(delete()).then(DELETED)
    spec.given(created()).when(delete()).then(DELETED)


@pytest.mark.parametrize("command", [update(by=OTHER, title="Mine"), delete(by=OTHER)])
def test_IT_11_another_student_is_refused(command) -> None:
    spec.given(*ON_OFFER).when(command).refused("not_owner", 403)


@pytest.mark.parametrize("command", [update(by=OTHER, title="Mine"), delete(by=OTHER)])
def test_IT_11_another_student_does_not_learn_of_what_was_never_shown(command) -> None:
    spec.given(created()).when(command).refused("item_unknown", 404)
    spec.given(created(), DELETED).when(command).refused("item_unknown", 404)
    spec.given(*ON_OFFER, DELETED).when(command).refused("item_deleted", 410)


@pytest.mark.parametrize("command", [update(ELSEWHERE, OTHER, title="Mine"), delete(ELSEWHERE)])
def test_IT_11_another_campus_does_not_learn_that_it_is_there(command) -> None:
    spec.given(*ON_OFFER).when(command).refused("item_unknown", 404)
    spec.given(*ON_OFFER, DELETED).when(command).refused("item_unknown", 404)
    spec.when(command).refused("item_unknown", 404)


def test_IT_11_what_is_deleted_is_gone() -> None:
    for command in (update(title="Abacus"), delete()):
        spec.given(*ON_OFFER, DELETED).when(command).refused("item_deleted", 410)


def test_IT_11_moderators_delete_on_their_campus_alone() -> None:
    here, elsewhere = delete(by=OTHER, role=Role.MODERATOR), delete(ELSEWHERE, role=Role.MODERATOR)
    spec.given(*ON_OFFER).when(here).then(DELETED)
    spec.given(*ON_OFFER).when(elsewhere).refused("item_unknown", 404)


def test_PR_10_of_whoever_has_left_every_item_goes() -> None:
    command = DeleteItem(**SYSTEM)
    spec.given(*ON_OFFER).when(command).then(DELETED)
    spec.given(*ON_OFFER, DELETED).when(command).then()
    spec.when(command).then()
