"""How long a listing is on offer, rule by rule."""

from __future__ import annotations

from datetime import timedelta

import pytest

from producers.listings.listings import listings
from schemas.listings import (
    ExpireListing,
    HideListing,
    ListingDeleted,
    ListingExpired,
    ListingHidden,
    ListingPublished,
    ListingRenewed,
    ListingShown,
    ListingSold,
    ListingUnpublished,
    ListingUpdated,
    MarkSold,
    PublishListing,
    RenewListing,
    ShowListing,
    UnpublishListing,
)
from schemas.log.messages import Role
from schemas.values.vehicles import VehicleFields
from tests.producers.spec import Spec
from tests.producers.test_listings import (
    ID,
    NOW,
    SYSTEM,
    asked,
    create,
    created_with,
    facts,
    update,
)

DAYS = timedelta(days=90)
END = NOW + DAYS
HIDDEN = ListingHidden(listing_id=ID, hidden_at=NOW)
SHOWN = ListingShown(listing_id=ID, shown_at=NOW)
EXPIRED = ListingExpired(listing_id=ID, expired_at=END)
SOLD = ListingSold(listing_id=ID, sold_at=NOW)

spec = Spec(listings)


def published(ends=END, at=NOW) -> ListingPublished:
    return ListingPublished(listing_id=ID, published_at=at, expires_at=ends)


def renewed(ends) -> ListingRenewed:
    return ListingRenewed(listing_id=ID, expires_at=ends, renewed_at=NOW)


def expire(at=END) -> ExpireListing:
    return ExpireListing(**{**asked(**SYSTEM), "asked_at": at})


def renew(ends=END, **who) -> RenewListing:
    return RenewListing(**asked(**who), expires_at=ends)


draft = spec.given(created_with())
on_offer = draft.given(published())
over = on_offer.given(EXPIRED)


def test_LI_21_what_is_published_says_until_when() -> None:
    draft.when(PublishListing(**asked(), expires_at=END)).then(published())
    command = create(publish=True).model_copy(update={"expires_at": END})
    spec.when(command).then(created_with(), published())


@pytest.mark.parametrize("history", [[], [HIDDEN], [HIDDEN, SHOWN]], ids=len)
def test_LI_21_what_is_on_offer_expires_at_its_time_and_not_before(history) -> None:
    given = on_offer.given(*history)
    given.when(expire(END - timedelta(microseconds=1))).then()
    given.when(expire()).then(EXPIRED)


def test_LI_21_what_has_no_end_never_expires() -> None:
    for_good = draft.given(published(ends=None))
    for_good.when(expire()).then()
    for_good.when(renew()).then()


def test_LI_21_what_was_renewed_before_the_timer_went_off_stays() -> None:
    later = END + DAYS
    for history in ([renewed(later)], [HIDDEN, renewed(later)], [renewed(later), HIDDEN]):
        given = on_offer.given(*history)
        given.when(expire()).then()
        given.when(expire(later)).then(ListingExpired(listing_id=ID, expired_at=later))


@pytest.mark.parametrize(
    "history",
    [
        [],
        [created_with()],
        [created_with(), published(), SOLD],
        [created_with(), published(), EXPIRED],
        [created_with(), published(), ListingDeleted(listing_id=ID, deleted_at=NOW)],
        [created_with(), published(), ListingUnpublished(listing_id=ID, unpublished_at=NOW)],
    ],
    ids=["unlisted", "draft", "sold", "expired", "deleted", "taken back"],
)
def test_LI_21_what_is_not_on_offer_does_not_expire(history) -> None:
    spec.given(*history).when(expire()).then()


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SYSTEM])
def test_LI_21_nobody_lets_a_listing_expire_by_hand(role) -> None:
    command = ExpireListing(**{**asked(role=role), "asked_at": END})
    on_offer.when(command).refused("role_not_allowed", 403)


def test_LI_21_a_renewal_gives_the_whole_time_again_and_two_clicks_are_one_wish() -> None:
    later = END + timedelta(days=30)
    on_offer.when(renew(later)).then(renewed(later))
    on_offer.given(HIDDEN).when(renew(later)).then(renewed(later))
    on_offer.given(renewed(later)).when(renew(later + timedelta(hours=23))).then()
    day = timedelta(days=1)
    on_offer.given(renewed(later)).when(renew(later + day)).then(renewed(later + day))


def test_LI_21_what_has_expired_comes_back() -> None:
    again = published(ends=END + DAYS)
    over.when(renew(END + DAYS)).then(again)
    over.when(PublishListing(**asked(), expires_at=END + DAYS)).then(again)


def test_LI_08_what_comes_back_needs_its_images_too() -> None:
    for kind in (RenewListing, PublishListing):
        command = kind(**asked(), expires_at=END + DAYS, images_min=1)
        over.when(command).refused("fields_missing", 422, ["/images"])


def test_LI_21_only_what_is_on_offer_is_renewed_and_only_by_its_own() -> None:
    draft.when(renew()).refused("listing_not_active")
    on_offer.given(SOLD).when(renew()).refused("listing_sold")
    spec.when(renew()).refused("listing_unknown", 404)
    over.when(renew(by="someone-else")).refused("not_owner", 403)


def test_LI_21_what_has_expired_is_changed_taken_back_or_sold_like_what_is_on_offer() -> None:
    title = VehicleFields(title="Another")
    told = ListingUpdated(listing_id=ID, fields=facts(title), updated_at=NOW)
    over.when(update(title)).then(told)
    over.when(update(None, "title")).refused("fields_missing", 422, ["/title"])
    back = ListingUnpublished(listing_id=ID, unpublished_at=NOW)
    over.when(UnpublishListing(**asked())).then(back)
    over.when(MarkSold(**asked())).then(SOLD)
    over.when(HideListing(**asked(**SYSTEM))).then()
    over.when(ShowListing(**asked(**SYSTEM))).then()


def test_LI_21_what_was_taken_back_has_its_whole_time_when_it_is_published_again() -> None:
    back = ListingUnpublished(listing_id=ID, unpublished_at=NOW)
    given = on_offer.given(back)
    given.when(PublishListing(**asked(), expires_at=END + DAYS)).then(published(END + DAYS))
    given.given(published(END + DAYS)).when(expire()).then()
