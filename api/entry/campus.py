"""Who is let in on a campus: people of its market who have proved their e-mail to be theirs.

The campus is the domain of that e-mail, as it stands in the read model of people: no client
names one, and an e-mail that nobody has proved opens none. Which domains are campuses
CAMPUS_DOMAINS says: with an address that anybody can get, anybody would be on one campus.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.backends.machines import Machines, machines_of
from api.entry.auth import Caller, SignedIn
from api.entry.consistency import awaited_row
from api.wire.problems import Problem
from projections.identity import users
from schemas.log.messages import Market, Role


@dataclass(frozen=True, slots=True)
class CampusPerson:
    """Somebody on their campus."""

    user_id: str
    role: Role
    email_domain: str
    against: Problem | None = None  # why they are not let in any more


def is_campus(domains: str, domain: str) -> bool:
    """Whether a mail domain is among these: `cs.uni.edu`, or `*.ac.lk` for all below."""
    names = (each.strip() for each in filter(None, domains.split(",")))
    return any(domain.endswith(each[1:]) if each[:1] == "*" else domain == each for each in names)


async def campus_of(mesh: Machines, caller: Caller) -> CampusPerson:
    """The caller on their campus, who is let in there; raises a 403 problem."""
    return await _on_campus(await campus_person(mesh, caller))


async def campus_person(mesh: Machines, caller: Caller) -> CampusPerson:
    """The caller on their campus; raises a 403 problem that says what is missing."""
    if caller.market != Market.CAMPUS:
        raise Problem(403, "market_not_allowed", "This is for people of the campus market")
    # The row and not the token, which says for minutes more that nothing is proved yet.
    row = await awaited_row(mesh, lambda: users.by_id(mesh.postgres, caller.user_id), "users")
    if not row["email_verified"] or row["email_domain"] is None:
        raise Problem(
            403, "email_not_verified", "Follow the link that was mailed to you, then repeat"
        )
    against = None
    if not is_campus(mesh.settings.campus_domains, row["email_domain"]):
        against = Problem(403, "campus_unknown", "Your e-mail's domain is none of our campuses")
    return CampusPerson(caller.user_id, Role(row["role"]), row["email_domain"], against)


async def _from_campus(request: Request, caller: SignedIn) -> CampusPerson:
    return await campus_person(machines_of(request), caller)


FromCampus = Annotated[CampusPerson, Depends(_from_campus)]


async def _on_campus(person: FromCampus) -> CampusPerson:
    if person.against is not None:
        raise person.against
    return person


# Writes take FromCampus and hand `against` to the command, for a repeat gets its first answer.
OnCampus = Annotated[CampusPerson, Depends(_on_campus)]
