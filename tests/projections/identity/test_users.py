from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from projections.identity.users import users
from schemas.identity import RoleGranted, UserRegistered, UserStatus
from schemas.messages import Market, Role
from tests.projections.history import BEGINNING, history, rows_of

USER = UUID(int=2)
KEY = str(USER)
LATER = BEGINNING + timedelta(hours=1)
REGISTERED = UserRegistered(
    user_id=USER,
    email_sealed="sealed e-mail",
    email_hash="c" * 64,
    name_sealed="sealed name",
    role=Role.SELLER,
    market=Market.EXOTICS,
    registered_at=BEGINNING,
)


def test_ID_21_a_person_is_as_they_registered() -> None:
    row = rows_of(users, history(f"user/{USER}", REGISTERED))[KEY]
    assert (row.role, row.status, row.created_at) == (Role.SELLER, UserStatus.PENDING, BEGINNING)


def test_ID_21_no_column_is_for_a_password() -> None:
    assert [name for name in users.row.__dataclass_fields__ if "password" in name] == []


def test_a_granted_role_is_the_persons_role() -> None:
    granted = RoleGranted(user_id=USER, role=Role.OPS, previous=Role.SELLER, granted_at=LATER)
    row = rows_of(users, history(f"user/{USER}", REGISTERED, granted))[KEY]
    assert (row.role, row.updated_at, row.version) == (Role.OPS, LATER, 2)
