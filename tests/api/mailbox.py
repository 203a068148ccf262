"""What lies in somebody's mailbox: derived again, as the mailer does, from the token that is out."""

from __future__ import annotations

from uuid import UUID

import httpx

from schemas.identity import TokenPurpose
from tests.api.running import Mesh
from tests.waiting import eventually

VERIFY, RESET = TokenPurpose.VERIFY_EMAIL, TokenPurpose.RESET_PASSWORD
NEW_PASSWORD = "another horse staple"


async def mailed(mesh: Mesh, user_id: str, purpose: TokenPurpose) -> str:
    """The text of the token in their newest mail of this kind."""
    row = await eventually(
        lambda: mesh.machines.postgres.fetchrow(
            "SELECT token_id FROM reads.verification_tokens WHERE key = $1", f"{user_id}/{purpose}"
        )
    )
    token_id = UUID(row["token_id"])
    return mesh.machines.one_time_tokens.derive(purpose, UUID(user_id), token_id).text


async def verify(mesh: Mesh, token: str) -> httpx.Response:
    return await mesh.client.post("/api/auth/verify-email", json={"token": token})


async def forget(mesh: Mesh, email: str) -> httpx.Response:
    return await mesh.client.post("/api/auth/forgot-password", json={"email": email})


async def reset(mesh: Mesh, token: str, password: str = NEW_PASSWORD) -> httpx.Response:
    body = {"token": token, "password": password}
    return await mesh.client.post("/api/auth/reset-password", json=body)


async def refresh(mesh: Mesh, token: str) -> httpx.Response:
    return await mesh.client.post("/api/auth/refresh", json={"refresh_token": token})


async def look(mesh: Mesh, access_token: str) -> httpx.Response:
    """Any read that needs somebody signed in."""
    headers = {"Authorization": f"Bearer {access_token}"}
    return await mesh.client.get("/api/auth/session", headers=headers)
