"""Who is let in on a campus: people of its market who have proved their e-mail to be theirs.

The campus is the domain of that e-mail, as it stands in the read model of people: no client
names one, and an e-mail that nobody has proved opens none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.auth import SignedIn
from api.machines import machines_of
from api.people import awaited_row
from api.problems import Problem
from projections.identity import users
from schemas.messages import Market, Role


@dataclass(frozen=True, slots=True)
class CampusPerson:
    """Somebody on their campus."""

    user_id: str
    role: Role
    email_domain: str


async def _campus_person(request: Request, caller: SignedIn) -> CampusPerson:
    if caller.market != Market.CAMPUS:
        raise Problem(403, "market_not_allowed", "This is for people of the campus market")
    mesh = machines_of(request)
    # The row and not the token, which says for minutes more that nothing is proved yet.
    row = await awaited_row(mesh, lambda: users.by_id(mesh.postgres, caller.user_id), "users")
    if not row["email_verified"] or row["email_domain"] is None:
        raise Problem(
            403, "email_not_verified", "Follow the link that was mailed to you, then repeat"
        )
    return CampusPerson(caller.user_id, Role(row["role"]), row["email_domain"])


OnCampus = Annotated[CampusPerson, Depends(_campus_person)]
