"""The wallet: how many tokens one has and how that came to be. Nobody reads anybody else's, and
nobody changes one here: what tokens are spent on asks for the debit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from fastapi import Request
from pydantic import AwareDatetime, BaseModel, Field
from starlette.responses import Response

from api.backends.machines import Mesh
from api.entry.auth import SignedIn
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import SEARCHES, SIGNED_IN, UNLIMITED, Door
from api.entry.paging import Paging
from api.entry.routing import new_router
from api.wire.etags import versioned
from api.wire.problems import problem_responses
from api.wire.successes import NO_STORE, ok
from projections.wallet import wallet_entries, wallets
from schemas.wallet import tokens_of

WALLETS = CaughtUp(wallets.wallets)
ENTRIES = CaughtUp(wallet_entries.wallet_entries)

router = new_router("wallet", prefix="/api/wallet")


class WalletAnswer(BaseModel):
    """The caller's wallet."""

    tokens: float = Field(ge=0, multiple_of=0.5, description="In halves: 2, or 1.5")
    version: int = Field(ge=0, description="0: nothing has been entered yet")


class WalletEntryAnswer(BaseModel):
    """One entry. A refund has the reference of its debit."""

    id: str
    version: int = Field(description="Its place in the wallet, from 1")
    kind: Literal["credit", "debit", "refund"]
    change: float = Field(
        multiple_of=0.5, description="What it added to the tokens; below 0: what it took"
    )
    reason: str
    reference: str = Field(description="What it is about")
    at: AwareDatetime


class WalletEntriesAnswer(BaseModel):
    """A page of entries, the last first."""

    items: list[WalletEntryAnswer]
    next_cursor: str | None


_WALLET = {"tokens": 2, "version": 1}
_ENTRY = {
    "id": "01980000-0000-7000-8000-000000000004",
    "version": 1,
    "kind": "credit",
    "change": 2,
    "reason": "signup",
    "reference": "user/01980000-0000-7000-8000-000000000001",
    "at": "2026-03-01T12:00:00Z",
}


@router.get(
    "",
    operation_id="read_wallet",
    response_model=WalletAnswer,
    responses={**ok("The wallet", _WALLET, headers=["ETag"]), **problem_responses(400, 401, 403)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, UNLIMITED)
async def read_wallet(request: Request, mesh: Mesh, caller: SignedIn) -> Response:
    """How many tokens the caller has. On campus that is some from the start, though the entry
    may come a moment later.
    """
    await WALLETS.wait(request)
    found = await wallets.by_owner(mesh.postgres, caller.user_id, caller.market)
    return versioned({"tokens": tokens_of(found.halves), "version": found.version}, found.version)


@router.get(
    "/entries",
    operation_id="list_wallet_entries",
    response_model=WalletEntriesAnswer,
    responses={
        **ok("A page", {"items": [_ENTRY], "next_cursor": None}),
        **problem_responses(400, 401, 403),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES)
async def list_wallet_entries(
    request: Request, mesh: Mesh, page: Paging, caller: SignedIn
) -> Response:
    """What was entered into the caller's wallet, the last first: all changes together are the
    tokens that are in it.
    """
    await ENTRIES.wait(request)
    found = await wallet_entries.of_owner(mesh.postgres, caller.user_id, page.part)
    rows, last = page.shown(found, "version")
    return page.response([_shown(row) for row in rows], last, headers=NO_STORE)


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    told = ("id", "version", "kind", "reason", "reference", "at")
    return {**{name: row[name] for name in told}, "change": tokens_of(row["halves"])}
