"""What may happen to a listing, rule by rule."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.decider import Rejected
from producers.listings import listings as rules
from producers.listings.listings import listings
from producers.listings.states import (
    STAFF,
    Active,
    Deleted,
    Draft,
    Expired,
    Hidden,
    Listing,
    Sold,
    Unlisted,
)
from schemas.listings import (
    CreateListing,
    DeleteListing,
    ExpireListing,
    HideListing,
    ListingCreated,
    ListingDeleted,
    ListingHidden,
    ListingPriceChanged,
    ListingPublished,
    ListingShown,
    ListingSold,
    ListingUnpublished,
    ListingUpdated,
    MarkSold,
    PublishListing,
    RenewListing,
    ShowListing,
    UnpublishListing,
    UpdateListing,
)
from schemas.log.messages import Market, Role
from schemas.topics import EVENT_TYPES
from schemas.values.vehicles import DistanceUnit, FuelType, Mileage, VehicleFacts, VehicleFields
from tests.producers.spec import Spec

ID = UUID("01980000-0000-7000-8000-000000000001")
OWNER = "01980000-0000-7000-8000-00000000000a"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CAR = VehicleFields(
    title="Porsche 911 Carrera",
    price_minor=8_500_000,
    currency="USD",
    make="Porsche",
    year=2019,
    mileage=Mileage(value=42_000),
)

spec = Spec(listings)


def asked(by: str = OWNER, role: Role = Role.SELLER) -> dict:
    return {"listing_id": ID, "asked_at": NOW, "asked_by": by, "asked_role": role}


def create(fields: VehicleFields = CAR, *, publish: bool = False, **who) -> CreateListing:
    return CreateListing(**asked(**who), fields=fields, publish=publish)


def update(fields: VehicleFields | None = None, *clear: str, **who) -> UpdateListing:
    return UpdateListing(**asked(**who), fields=fields or VehicleFields(), clear=clear)


def created_with(fields: VehicleFields = CAR) -> ListingCreated:
    return ListingCreated(
        listing_id=ID,
        seller_id=OWNER,
        market=Market.EXOTICS,
        fields=facts(fields),
        created_at=NOW,
    )


def updated(fields: VehicleFields | None = None, *cleared: str) -> ListingUpdated:
    return ListingUpdated(
        listing_id=ID, fields=facts(fields or VehicleFields()), cleared=cleared, updated_at=NOW
    )


def facts(fields: VehicleFields) -> VehicleFacts:
    """What an event says of what was stated."""
    return VehicleFacts(**fields.stated())


def price_changed(
    price_minor: int, currency: str, previous_minor: int | None, previous_currency: str | None
) -> ListingPriceChanged:
    return ListingPriceChanged(
        listing_id=ID,
        price_minor=price_minor,
        currency=currency,
        previous_minor=previous_minor,
        previous_currency=previous_currency,
        changed_at=NOW,
    )


created = created_with()
published = ListingPublished(listing_id=ID, published_at=NOW)
unpublished = ListingUnpublished(listing_id=ID, unpublished_at=NOW)
sold = ListingSold(listing_id=ID, sold_at=NOW)
deleted = ListingDeleted(listing_id=ID, deleted_at=NOW)

draft = spec.given(created)
active = spec.given(created, published)


def test_LI_01_a_created_listing_is_a_draft_of_whoever_asked() -> None:
    spec.when(create()).then(created)


def test_LI_01_a_draft_may_lack_everything() -> None:
    spec.when(create(VehicleFields())).then(created_with(VehicleFields()))


def test_LI_01_a_buyer_can_not_create() -> None:
    spec.when(create(role=Role.BUYER)).refused("role_not_allowed", 403)


def test_LI_01_the_same_id_can_not_be_created_twice() -> None:
    draft.when(create()).refused("listing_exists")


def test_LI_01_creating_and_publishing_is_one_step() -> None:
    spec.when(create(publish=True)).then(created, published)


def test_LI_08_creating_and_publishing_names_each_missing_field() -> None:
    spec.when(create(VehicleFields(title="Porsche"), publish=True)).refused(
        "fields_missing", 422, ["/price_minor", "/currency", "/make", "/year", "/mileage"]
    )


def test_LI_01_next_years_model_can_be_listed() -> None:
    spec.when(create(VehicleFields(year=2027))).then(created_with(VehicleFields(year=2027)))


@pytest.mark.parametrize("name", ["year", "import_year"])
def test_LI_01_a_year_after_the_next_is_refused(name: str) -> None:
    late = VehicleFields(**{name: 2028})
    spec.when(create(late)).refused("invalid_field", 422, [f"/{name}"])
    draft.when(update(late)).refused("invalid_field", 422, [f"/{name}"])


def test_LI_02_only_changed_fields_are_in_the_event() -> None:
    same_make = VehicleFields(make="Porsche", fuel_type=FuelType.PETROL)
    draft.when(update(same_make)).then(updated(VehicleFields(fuel_type=FuelType.PETROL)))


def test_LI_02_an_update_that_changes_nothing_appends_nothing() -> None:
    active.when(update(CAR)).then()


def test_LI_02_emptying_what_is_empty_appends_nothing() -> None:
    draft.when(update(None, "trim")).then()


def test_LI_02_a_moved_price_is_a_fact_of_its_own() -> None:
    active.when(update(VehicleFields(price_minor=8_000_000))).then(
        price_changed(8_000_000, "USD", 8_500_000, "USD")
    )


def test_LI_02_another_currency_is_another_price() -> None:
    alone = VehicleFields(currency="LKR")
    active.when(update(alone)).refused("invalid_field", 422, ["/price_minor"])
    draft.when(update(alone)).refused("invalid_field", 422, ["/price_minor"])
    active.when(update(VehicleFields(currency="LKR", price_minor=8_500_000))).then(
        price_changed(8_500_000, "LKR", 8_500_000, "USD")
    )
    active.when(update(VehicleFields(currency="USD"))).then()


def test_LI_02_price_and_other_fields_move_in_one_command() -> None:
    active.when(update(VehicleFields(price_minor=8_000_000, make="RUF"))).then(
        updated(VehicleFields(make="RUF")), price_changed(8_000_000, "USD", 8_500_000, "USD")
    )


def test_LI_02_half_a_price_is_an_update_and_the_whole_one_a_price() -> None:
    half = spec.given(created_with(VehicleFields()))
    amount = VehicleFields(price_minor=900)
    half.when(update(amount)).then(updated(amount))
    half.given(updated(amount)).when(update(VehicleFields(currency="LKR"))).then(
        price_changed(900, "LKR", 900, None)
    )


def test_LI_02_clearing_empties_a_field() -> None:
    draft.when(update(None, "make")).then(updated(None, "make"))


def test_LI_02_unknown_names_to_clear_are_refused_with_their_place() -> None:
    draft.when(update(None, "colour/~")).refused("invalid_field", 422, ["/colour~1~0"])


@pytest.mark.asvs("V2.2.3")
def test_LI_02_a_field_can_not_be_stated_and_emptied_at_once() -> None:
    draft.when(update(VehicleFields(make="RUF"), "make")).refused("invalid_field", 422, ["/make"])


def test_LI_02_an_active_listing_keeps_its_mandatory_fields() -> None:
    active.when(update(None, "title", "currency", "trim")).refused(
        "fields_missing", 422, ["/title", "/currency"]
    )


@pytest.mark.parametrize(
    "command",
    [
        UpdateListing(**asked("someone-else"), fields=VehicleFields(make="RUF")),
        UpdateListing(**asked("someone-else"), fields=VehicleFields(year=2099), clear=("year",)),
        PublishListing(**asked("someone-else")),
        UnpublishListing(**asked("someone-else")),
        MarkSold(**asked("someone-else"), buyer_id=UUID(OWNER)),
        DeleteListing(**asked("someone-else")),
    ],
    ids=lambda command: command.kind,
)
@pytest.mark.parametrize(
    ("history", "told"),
    [
        ([], ("listing_unknown", 404)),
        ([published], ("not_owner", 403)),
        ([published, ListingHidden(listing_id=ID, hidden_at=NOW)], ("listing_unknown", 404)),
        ([published, sold], ("not_owner", 403)),
        ([published, deleted], ("listing_unknown", 404)),
    ],
    ids=["draft", "active", "hidden", "sold", "deleted"],
)
def test_LI_02_only_the_owner_may_change(command, history, told) -> None:
    """Whatever else is wrong: what strangers are told must not say how the listing is, nor, where
    they can't see it, that there is one.
    """
    draft.given(*history).when(command).refused(*told)


@pytest.mark.parametrize("role", [Role.MODERATOR, Role.ADMIN])
def test_LI_02_staff_may_change_anybodys_listing(role: Role) -> None:
    active.when(UnpublishListing(**asked("someone-else", role))).then(unpublished)


def test_LI_08_publishing_shows_a_complete_draft() -> None:
    draft.when(PublishListing(**asked())).then(published)


@pytest.mark.asvs("V2.2.3")
def test_LI_08_publish_names_each_missing_field() -> None:
    spec.given(created_with(VehicleFields(year=2019))).when(PublishListing(**asked())).refused(
        "fields_missing", 422, ["/title", "/price_minor", "/currency", "/make", "/mileage"]
    )


def test_LI_08_publishing_twice_is_harmless() -> None:
    active.when(PublishListing(**asked())).then()


def test_LI_09_unpublishing_makes_a_draft() -> None:
    active.when(UnpublishListing(**asked())).then(unpublished)


def test_LI_09_unpublishing_a_draft_is_harmless() -> None:
    draft.when(UnpublishListing(**asked())).then()


def test_LI_09_an_unpublished_listing_is_not_on_offer() -> None:
    active.given(unpublished).when(MarkSold(**asked())).refused("listing_not_active")


def test_LI_10_a_sale_tells_buyer_and_price() -> None:
    buyer = UUID(int=7)
    active.when(MarkSold(**asked(), buyer_id=buyer, price_minor=1)).then(
        ListingSold(listing_id=ID, buyer_id=buyer, price_minor=1, sold_at=NOW)
    )


@pytest.mark.asvs("V2.3.1")
def test_LI_10_a_draft_can_not_be_sold() -> None:
    draft.when(MarkSold(**asked())).refused("listing_not_active")


def test_LI_10_nothing_is_sold_to_its_seller() -> None:
    active.when(MarkSold(**asked(), buyer_id=UUID(OWNER))).refused(
        "invalid_field", 422, ["/buyer_id"]
    )


@pytest.mark.parametrize(
    "command",
    [
        UpdateListing(**asked(), fields=VehicleFields(make="RUF")),
        PublishListing(**asked()),
        UnpublishListing(**asked()),
        MarkSold(**asked()),
    ],
    ids=lambda command: command.kind,
)
@pytest.mark.asvs("V2.3.4")
def test_LI_10_a_sold_listing_only_goes(command) -> None:
    active.given(sold).when(command).refused("listing_sold")


@pytest.mark.parametrize(
    "history", [(created,), (created, published), (created, published, sold)], ids=len
)
def test_LI_03_what_exists_can_be_deleted(history) -> None:
    spec.given(*history).when(DeleteListing(**asked())).then(deleted)


@pytest.mark.parametrize("history", [(), (created, deleted)], ids=["unknown", "deleted"])
@pytest.mark.parametrize(
    "command",
    [update(), PublishListing(**asked()), UnpublishListing(**asked()), MarkSold(**asked()),
     DeleteListing(**asked())],
    ids=lambda command: command.kind,
)  # fmt: skip
def test_LI_03_what_is_not_there_can_not_change(history, command) -> None:
    expected = ("listing_deleted", 410) if history else ("listing_unknown", 404)
    spec.given(*history).when(command).refused(*expected)


def test_EV_07_version_1_of_listing_created_reads_as_version_2() -> None:
    golden = b"""{"kind": "listing.created", "listing_id": "01980000-0000-7000-8000-000000000001",
        "seller_id": "s", "market": "exotics", "created_at": "2024-05-01T08:00:00Z",
        "fields": {"title": "Old Mini", "mileage_km": 88000}}"""
    event = EVENT_TYPES.decode("listing.created", 1, golden)
    assert isinstance(event, ListingCreated)
    assert event.fields.mileage == Mileage(value=88_000, unit=DistanceUnit.KMT)


def test_EV_07_fields_of_a_newer_writer_are_passed_over() -> None:
    newer = updated(VehicleFields(make="RUF")).model_dump(mode="json", exclude_none=True)
    newer["fields"]["smell"] = "new"
    event = EVENT_TYPES.decode("listing.updated", 1, json.dumps(newer).encode())
    assert event == updated(VehicleFields(make="RUF"))


LEGAL = {
    Unlisted: {Unlisted, Draft, Active},  # Active: created and published in one step
    Draft: {Draft, Active, Deleted},
    Active: {Active, Draft, Hidden, Expired, Sold, Deleted},
    Hidden: {Hidden, Active, Draft, Expired, Deleted},
    Expired: {Expired, Active, Draft, Sold, Deleted},
    Sold: {Sold, Deleted},
    Deleted: {Deleted},
}

some_fields = st.builds(
    VehicleFields,
    title=st.sampled_from([None, "Golf", "Porsche"]),
    price_minor=st.sampled_from([None, 1, 900]),
    currency=st.sampled_from([None, "LKR", "USD"]),
    make=st.sampled_from([None, "VW"]),
    year=st.sampled_from([None, 1999, 2027, 2050]),
    mileage=st.sampled_from([None, Mileage(value=10)]),
)
fields = some_fields | st.just(CAR)
names = st.lists(st.sampled_from([*VehicleFields.model_fields, "colour"]), max_size=3).map(tuple)
who = st.fixed_dictionaries(
    {
        "listing_id": st.just(ID),
        "asked_at": st.just(NOW),
        "asked_by": st.sampled_from([OWNER, "someone-else"]),
        "asked_role": st.sampled_from(Role),
    }
)
ends = st.sampled_from([None, NOW, NOW + timedelta(days=90)])
any_command = who.flatmap(
    lambda who: st.one_of(
        st.builds(
            CreateListing, **_just(who), fields=fields, publish=st.booleans(), expires_at=ends
        ),
        st.builds(UpdateListing, **_just(who), fields=fields, clear=names),
        st.builds(PublishListing, **_just(who), expires_at=ends),
        st.builds(RenewListing, **_just(who), expires_at=ends.filter(bool)),
        st.builds(ExpireListing, **_just(who)),
        st.builds(HideListing, **_just(who)),
        st.builds(ShowListing, **_just(who)),
        st.builds(UnpublishListing, **_just(who)),
        st.builds(MarkSold, **_just(who), buyer_id=st.sampled_from([None, UUID(OWNER)])),
        st.builds(DeleteListing, **_just(who)),
    )
)


def _just(values: dict) -> dict:
    return {name: st.just(value) for name, value in values.items()}


@settings(max_examples=100)
@given(st.lists(any_command, max_size=15))
@pytest.mark.asvs("V2.3.1")
def test_LI_21_no_command_sequence_reaches_an_illegal_state(commands) -> None:
    listing: Listing = Unlisted()
    for command in commands:
        before = listing
        try:
            decided = listings.decide(command, before)
        except Rejected:
            continue
        for event in decided:
            listing = listings.evolve(listing, event)
        assert type(listing) in LEGAL[type(before)]
        if isinstance(listing, Active | Hidden | Expired):
            assert set(rules.MANDATORY) <= listing.fields.stated().keys()
        if decided and not isinstance(before, Unlisted):
            assert command.asked_by == before.seller_id or command.asked_role in STAFF


@settings(max_examples=150)
@given(fields, fields, names)
def test_LI_02_an_update_leads_to_exactly_what_was_asked(before, stated, clear) -> None:
    draft_state = Draft(OWNER, before)
    try:
        decided = listings.decide(update(stated, *clear), draft_state)
    except Rejected:
        return
    listing: Listing = draft_state
    for event in decided:
        listing = listings.evolve(listing, event)
    assert listing == Draft(OWNER, before.merged(stated, clear))
    assert listings.decide(update(stated, *clear), listing) == []


SYSTEM = {"by": "effect/standing", "role": Role.SYSTEM}
HIDE, SHOW = HideListing(**asked(**SYSTEM)), ShowListing(**asked(**SYSTEM))
PUBLISHED = ListingPublished(listing_id=ID, published_at=NOW)
HIDDEN = ListingHidden(listing_id=ID, hidden_at=NOW)
SHOWN = ListingShown(listing_id=ID, shown_at=NOW)
SOLD = ListingSold(listing_id=ID, sold_at=NOW)
GONE = ListingDeleted(listing_id=ID, deleted_at=NOW)
on_offer = spec.given(created_with(), PUBLISHED)


def test_PR_09_an_active_listing_is_hidden_and_shown_again() -> None:
    on_offer.when(HIDE).then(HIDDEN)
    on_offer.given(HIDDEN).when(SHOW).then(SHOWN)
    on_offer.given(HIDDEN, SHOWN).when(HIDE).then(HIDDEN)


def test_PR_09_hiding_or_showing_twice_changes_nothing() -> None:
    on_offer.given(HIDDEN).when(HIDE).then()
    on_offer.when(SHOW).then()


@pytest.mark.parametrize("history", [[], [created_with()], [created_with(), PUBLISHED, SOLD]])
def test_PR_09_what_is_not_on_offer_is_not_hidden_and_not_shown(history) -> None:
    spec.given(*history).when(HIDE).then()
    spec.given(*history).when(SHOW).then()


def test_PR_09_a_listing_taken_back_while_hidden_stays_a_draft() -> None:
    taken_back = ListingUnpublished(listing_id=ID, unpublished_at=NOW)
    on_offer.given(HIDDEN).when(UnpublishListing(**asked())).then(taken_back)
    on_offer.given(HIDDEN, taken_back).when(SHOW).then()


def test_PR_09_a_hidden_listing_is_not_published_by_hand_nor_sold() -> None:
    hidden = on_offer.given(HIDDEN)
    hidden.when(PublishListing(**asked())).refused("listing_hidden")
    hidden.when(MarkSold(**asked())).refused("listing_not_active")
    hidden.when(update(None, "title")).refused("fields_missing", 422, ["/title"])


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SYSTEM])
@pytest.mark.parametrize("kind", [HideListing, ShowListing])
def test_PR_09_nobody_hides_or_shows_by_hand(kind, role) -> None:
    on_offer.when(kind(**asked(role=role))).refused("role_not_allowed", 403)


def test_PR_10_a_hidden_listing_can_be_withdrawn() -> None:
    on_offer.given(HIDDEN).when(DeleteListing(**asked(**SYSTEM))).then(GONE)
