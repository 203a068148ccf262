"""What may happen to a listing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias, assert_never

from producers.decider import Decider, Rejected
from producers.listings import images
from producers.listings.states import (
    Active,
    Deleted,
    Draft,
    Existing,
    Expired,
    Hidden,
    Listing,
    Sold,
    Unlisted,
    changeable,
)
from schemas.listings import (
    CreateListing,
    DeleteListing,
    ExpireListing,
    HideListing,
    ListingCommand,
    ListingCreated,
    ListingDeleted,
    ListingEvent,
    ListingExpired,
    ListingHidden,
    ListingPriceChanged,
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
    UpdateListing,
)
from schemas.log.messages import Command, Fault, Role
from schemas.values.vehicles import VehicleFacts, VehicleFields
from schemas.values.vins import CHECK_PLACE, check_digit_fits, is_north_american

MANDATORY = ("title", "price_minor", "currency", "make", "year", "mileage")
RENEWED_LATER = timedelta(days=1)  # by less, a renewal changes nothing
SELLERS = frozenset({Role.SELLER, Role.DEALER, Role.ADMIN, Role.SYSTEM})


_Moving: TypeAlias = (
    ListingPublished
    | ListingHidden
    | ListingShown
    | ListingExpired
    | ListingUnpublished
    | ListingSold
)


def decide(command: ListingCommand, listing: Listing) -> Sequence[ListingEvent]:
    """The events that the command leads to; none when it asks for what already is."""
    match command:
        case CreateListing():
            return create(command, listing)
        case UpdateListing():
            return update(command, listing)
        case PublishListing():
            return publish(command, listing)
        case RenewListing():
            return renew(command, listing)
        case UnpublishListing():
            return unpublish(command, listing)
        case MarkSold():
            return mark_sold(command, listing)
        case DeleteListing():
            return delete(command, listing)
        case HideListing() | ShowListing() | ExpireListing():
            return settle(command, listing)
        case _:
            return images.decide(command, listing)


def create(command: CreateListing, listing: Listing) -> Sequence[ListingEvent]:
    """A draft, published in the same breath when the seller wants so and nothing is missing."""
    if not isinstance(listing, Unlisted):
        raise Rejected("listing_exists")
    if command.asked_role not in SELLERS:
        raise Rejected("role_not_allowed", 403)
    _refuse_faults(
        [*_too_late(command, command.fields), *_miscounted(command.fields)], "invalid_field"
    )
    created = ListingCreated(
        listing_id=command.listing_id,
        seller_id=command.asked_by,
        market=command.market,
        fields=VehicleFacts(**command.fields.stated()),
        created_at=command.asked_at,
    )
    if not command.publish:
        return [created]
    _refuse_faults([*_missing(command.fields), *images.too_few(command, 0)], "fields_missing")
    return [
        created,
        _published(command),
    ]


def update(command: UpdateListing, listing: Listing) -> Sequence[ListingEvent]:
    """Only what differs is a fact; a complete price that moved is a fact of its own."""
    match changeable(command, listing):
        case Sold():
            raise Rejected("listing_sold")
        case (Draft() | Active() | Hidden() | Expired()) as found:
            _refuse_faults(_unclear(command), "invalid_field")
            _refuse_faults(_too_late(command, command.fields), "invalid_field")
            _refuse_faults(_miscounted(command.fields), "invalid_field")
            _refuse_faults(_unpriced(command, found.fields), "invalid_field")
            after = found.fields.merged(command.fields, command.clear)
            if not isinstance(found, Draft):
                _refuse_faults(_missing(after), "fields_missing")
            return [*_changes(command, found.fields, after), *_repricing(command, found, after)]


def publish(command: PublishListing, listing: Listing) -> Sequence[ListingEvent]:
    """Publishing what is active changes nothing and is no fault: two clicks are one wish."""
    match changeable(command, listing):
        case (Draft() | Expired()) as found:
            return _shown(command, found)
        case Active():
            return []
        case Hidden():
            raise Rejected("listing_hidden")
        case Sold():
            raise Rejected("listing_sold")


def _shown(
    command: PublishListing | RenewListing, listing: Draft | Expired
) -> Sequence[ListingEvent]:
    few = images.too_few(command, len(listing.images))
    _refuse_faults([*_missing(listing.fields), *few], "fields_missing")
    return [_published(command)]


def _published(command: CreateListing | PublishListing | RenewListing) -> ListingPublished:
    return ListingPublished(
        listing_id=command.listing_id,
        published_at=command.asked_at,
        expires_at=command.expires_at,
    )


def renew(command: RenewListing, listing: Listing) -> Sequence[ListingEvent]:
    """More time for what is on offer, and a return for what has expired. What has no end gets
    none, and two clicks are one wish.
    """
    match changeable(command, listing):
        case Active(expires_at=ends) | Hidden(expires_at=ends):
            if ends is None or command.expires_at - ends < RENEWED_LATER:
                return []
            return [
                ListingRenewed(
                    listing_id=command.listing_id,
                    expires_at=command.expires_at,
                    renewed_at=command.asked_at,
                )
            ]
        case Expired() as found:
            return _shown(command, found)
        case Draft():
            raise Rejected("listing_not_active")
        case Sold():
            raise Rejected("listing_sold")


def unpublish(command: UnpublishListing, listing: Listing) -> Sequence[ListingEvent]:
    """Back to a draft; a draft stays one, as with publishing."""
    match changeable(command, listing):
        case Active() | Hidden() | Expired():
            return [
                ListingUnpublished(listing_id=command.listing_id, unpublished_at=command.asked_at)
            ]
        case Draft():
            return []
        case Sold():
            raise Rejected("listing_sold")


def mark_sold(command: MarkSold, listing: Listing) -> Sequence[ListingEvent]:
    """Once, and only what was on offer; never to the seller, who could then review the sale. A
    vehicle may well have found its buyer after its time.
    """
    match changeable(command, listing):
        case Active(seller_id=seller_id) | Expired(seller_id=seller_id):
            if str(command.buyer_id) == seller_id:
                fault = Fault(pointer="/buyer_id", detail="the seller can't be the buyer")
                raise Rejected("invalid_field", 422, [fault])
            return [
                ListingSold(
                    listing_id=command.listing_id,
                    buyer_id=command.buyer_id,
                    price_minor=command.price_minor,
                    sold_at=command.asked_at,
                )
            ]
        case Draft() | Hidden():
            raise Rejected("listing_not_active")
        case Sold():
            raise Rejected("listing_sold")


def delete(command: DeleteListing, listing: Listing) -> Sequence[ListingEvent]:
    """From any state that still exists."""
    found = changeable(command, listing)
    return [
        ListingDeleted(
            listing_id=command.listing_id,
            images=(*(each.media_id for each in (*found.images, *found.spin)), *found.early),
            deleted_at=command.asked_at,
        )
    ]


def settle(
    command: HideListing | ShowListing | ExpireListing, listing: Listing
) -> Sequence[ListingEvent]:
    """What follows from where the seller stands and from time, so that nobody asks for it by hand.
    A draft or a sale is nothing that a seller's absence could hide; what was hidden may have been
    taken back since, and what was to end renewed.
    """
    if command.asked_role is not Role.SYSTEM:
        raise Rejected("role_not_allowed", 403)
    listing_id, at = command.listing_id, command.asked_at
    match command, listing:
        case HideListing(), Active():
            return [ListingHidden(listing_id=listing_id, hidden_at=at)]
        case ShowListing(), Hidden():
            return [ListingShown(listing_id=listing_id, shown_at=at)]
        case ExpireListing(), (Active() | Hidden()) as found if _is_over(found, at):
            return [ListingExpired(listing_id=listing_id, expired_at=at)]
        case _:
            return []


def _is_over(listing: Active | Hidden, at: datetime) -> bool:
    return listing.expires_at is not None and listing.expires_at <= at


def _changes(
    command: UpdateListing, before: VehicleFacts, after: VehicleFacts
) -> Iterator[ListingEvent]:
    """At most one listing.updated. A moved price is left to listing.price_changed, so that
    each fact stands in the log once; a price that lacks its other half is here.
    """
    old, new = before.stated(), after.stated()
    apart = {"price_minor", "currency"} if _price(after) else set()
    changed = {
        name: value for name, value in new.items() if name not in apart and old.get(name) != value
    }
    cleared = tuple(name for name in old if name not in new)
    if changed or cleared:
        yield ListingUpdated(
            listing_id=command.listing_id,
            fields=VehicleFacts(**changed),
            cleared=cleared,
            updated_at=command.asked_at,
        )


def _repricing(
    command: UpdateListing, listing: Draft | Active | Hidden | Expired, after: VehicleFacts
) -> Iterator[ListingEvent]:
    price = _price(after)
    if price is not None and price != _price(listing.fields):
        yield ListingPriceChanged(
            listing_id=command.listing_id,
            price_minor=price[0],
            currency=price[1],
            previous_minor=listing.fields.price_minor,
            previous_currency=listing.fields.currency,
            changed_at=command.asked_at,
        )


def _price(fields: VehicleFacts) -> tuple[int, str] | None:
    """Amount and currency; one without the other is no price."""
    if fields.price_minor is None or fields.currency is None:
        return None
    return fields.price_minor, fields.currency


def _unpriced(command: UpdateListing, before: VehicleFacts) -> list[Fault]:
    """The same number in another currency is another price: somebody must name it."""
    stated = command.fields.stated()
    priced = "price_minor" in stated or "price_minor" in command.clear
    moved = stated.get("currency", before.currency) != before.currency
    if _price(before) is None or priced or not moved:
        return []
    detail = "must be stated together with another currency"
    return [Fault(pointer="/price_minor", detail=detail)]


def _missing(fields: VehicleFacts) -> list[Fault]:
    stated = fields.stated()
    return [
        Fault(pointer=f"/{name}", detail="must be stated on a listing that everyone sees")
        for name in MANDATORY
        if name not in stated
    ]


def _too_late(command: Command, fields: VehicleFields) -> list[Fault]:
    year = str(command.asked_at.year + 1)  # next year's models are on sale already
    month = f"{command.asked_at + timedelta(days=1):%Y-%m}"  # it has begun somewhere on earth
    latest = {"year": year, "import_year": year, "first_registration": month}
    return [
        Fault(pointer=f"/{name}", detail=f"must not be after {last}")
        for name, last in latest.items()
        if (stated := getattr(fields, name)) is not None and str(stated) > last
    ]


def _miscounted(fields: VehicleFields) -> list[Fault]:
    """Elsewhere a check digit is nobody's duty, and a wrong one no more than a hint."""
    vin = fields.vin
    if vin is None or not is_north_american(vin) or check_digit_fits(vin):
        return []
    detail = (
        f"its check digit, the {CHECK_PLACE}th place, does not fit the others: "
        "compare it with the vehicle's papers, letter by letter"
    )
    return [Fault(pointer="/vin", detail=detail)]


def _unclear(command: UpdateListing) -> list[Fault]:
    stated = command.fields.stated()
    faults = []
    for name in command.clear:
        if name not in VehicleFacts.model_fields:
            pointer = "/" + name.replace("~", "~0").replace("/", "~1")
            faults.append(Fault(pointer=pointer, detail="no such field"))
        elif name in stated:
            faults.append(Fault(pointer=f"/{name}", detail="can't be both stated and emptied"))
    return faults


def _refuse_faults(faults: Sequence[Fault], reason: str) -> None:
    if faults:
        raise Rejected(reason, 422, faults)


def evolve(listing: Listing, event: ListingEvent) -> Listing:
    """The listing after the event. Never refuses: it has happened."""
    if isinstance(event, ListingCreated):
        return Draft(seller_id=event.seller_id, fields=event.fields)
    if isinstance(listing, Unlisted | Deleted):
        return listing
    match event:
        case ListingUpdated(fields=fields, cleared=cleared):
            return replace(listing, fields=listing.fields.merged(fields, cleared))
        case ListingPriceChanged(price_minor=price_minor, currency=currency):
            price = VehicleFacts(price_minor=price_minor, currency=currency)
            return replace(listing, fields=listing.fields.merged(price))
        case ListingRenewed(expires_at=expires_at):
            if isinstance(listing, Active | Hidden):
                return replace(listing, expires_at=expires_at)
            return listing
        case ListingDeleted():
            return Deleted(listing.seller_id)
        case (
            ListingPublished()
            | ListingHidden()
            | ListingShown()
            | ListingExpired()
            | ListingUnpublished()
            | ListingSold()
        ):
            return _moved(listing, event)
        case _:
            return images.evolve(listing, event)


def _moved(listing: Existing, event: _Moving) -> Existing:
    """The listing where the event has left it in its life."""
    kept = listing.kept
    match event:
        case ListingPublished(expires_at=expires_at):
            return Active(**kept, expires_at=expires_at)
        case ListingHidden():
            return Hidden(**kept, expires_at=_end_of(listing))
        case ListingShown():
            return Active(**kept, expires_at=_end_of(listing))
        case ListingExpired():
            return Expired(**kept)
        case ListingUnpublished():
            return Draft(**kept)
        case ListingSold():
            return Sold(**kept)
        case _:
            assert_never(event)


def _end_of(listing: Existing) -> datetime | None:
    return listing.expires_at if isinstance(listing, Active | Hidden) else None


listings: Decider[ListingCommand, Listing, ListingEvent] = Decider(
    initial=Unlisted(), decide=decide, evolve=evolve
)
