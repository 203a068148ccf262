"""Where somebody stands: at rest, banned, deleted, logged in anywhere at all.

    pending → active → deactivated, banned → deleted

A ban outweighs a rest and outlasts it; nobody comes back from being deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from producers.decider import Rejected
from producers.identity.credentials import lapse_all, unlink_all
from producers.identity.people import (
    Deleted,
    Registered,
    User,
    require_self_or_staff,
    somebody,
)
from schemas.identity import (
    BanUser,
    DeactivateUser,
    DeleteUser,
    LiftBan,
    LoggedOutEverywhere,
    LogOutEverywhere,
    ReactivateUser,
    UnbanUser,
    UserBanned,
    UserDeactivated,
    UserDeleted,
    UserEvent,
    UserReactivated,
    UserUnbanned,
)
from schemas.log.messages import Fault, Role

BANNERS = frozenset({Role.MODERATOR, Role.ADMIN, Role.SYSTEM})
# Whom a moderator may ban; those who run the place answer to an admin.
CUSTOMERS = frozenset({Role.BUYER, Role.SELLER, Role.DEALER})


def log_out_everywhere(command: LogOutEverywhere, user: User) -> Sequence[UserEvent]:
    """As often as one likes: there may be new sessions since."""
    require_self_or_staff(command)
    somebody(user)
    return [LoggedOutEverywhere(user_id=command.user_id, logged_out_at=command.asked_at)]


def deactivate(command: DeactivateUser, user: User) -> Sequence[UserEvent]:
    """One's own account; whoever is banned has none to put to rest."""
    require_self_or_staff(command)
    person = _not_banned(user)
    if person.deactivated:
        return []
    return [UserDeactivated(user_id=command.user_id, deactivated_at=command.asked_at)]


def reactivate(command: ReactivateUser, user: User) -> Sequence[UserEvent]:
    """One's own account; a ban is not undone this way."""
    require_self_or_staff(command)
    person = _not_banned(user)
    if not person.deactivated:
        return []
    return [
        UserReactivated(
            user_id=command.user_id,
            status=replace(person, deactivated=False).status,
            reactivated_at=command.asked_at,
        )
    ]


def ban(command: BanUser, user: User) -> Sequence[UserEvent]:
    """By moderators and admins, never oneself. Once more with another end changes the end."""
    person = _judged(command, user)
    if command.until is not None and command.until <= command.asked_at:
        fault = Fault(pointer="/until", detail="must lie in the future")
        raise Rejected("until_past", 422, [fault])
    if person.banned and person.banned_until == command.until:
        return []
    return [
        UserBanned(
            user_id=command.user_id,
            reason=command.reason,
            banned_at=command.asked_at,
            until=command.until,
        )
    ]


def unban(command: UnbanUser, user: User) -> Sequence[UserEvent]:
    """By those who may ban; the account is what it was before."""
    return _unbanned(command, _judged(command, user))


def lift_ban(command: LiftBan, user: User) -> Sequence[UserEvent]:
    """When its time has come; a ban that was made longer meanwhile stays."""
    if command.asked_role is not Role.SYSTEM:
        raise Rejected("role_not_allowed", 403)
    person = somebody(user)
    if person.banned_until is None or person.banned_until > command.asked_at:
        return []
    return _unbanned(command, person)


def _unbanned(command: UnbanUser | LiftBan, person: Registered) -> Sequence[UserEvent]:
    if not person.banned:
        return []
    return [
        UserUnbanned(
            user_id=command.user_id,
            status=replace(person, banned=False).status,
            unbanned_at=command.asked_at,
        )
    ]


def delete(command: DeleteUser, user: User) -> Sequence[UserEvent]:
    """One's own account, from any standing."""
    require_self_or_staff(command)
    if isinstance(user, Deleted):
        return []
    person = somebody(user)
    return [
        *lapse_all(command, person),
        *unlink_all(command, person),
        UserDeleted(
            user_id=command.user_id, email_hash=person.email_hash, deleted_at=command.asked_at
        ),
    ]


def _not_banned(user: User) -> Registered:
    person = somebody(user)
    if person.banned:
        raise Rejected("user_banned")
    return person


def _judged(command: BanUser | UnbanUser, user: User) -> Registered:
    if command.asked_role not in BANNERS:
        raise Rejected("role_not_allowed", 403)
    if command.asked_by == str(command.user_id):
        raise Rejected("not_oneself", 403)
    person = somebody(user)
    if command.asked_role is Role.MODERATOR and person.role not in CUSTOMERS:
        raise Rejected("role_not_allowed", 403)
    return person
