"""A shop for API tests: people who sell, and their listings asked over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from tests.api.running import Account, Mesh

CAR: dict[str, Any] = {
    "title": "Porsche 911 Carrera",
    "price_minor": 8_500_000,
    "currency": "USD",
    "make": "Porsche",
    "model": "911",
    "year": 2019,
    "mileage": {"value": 42_000, "unit": "KMT"},
    "fuel_type": "petrol",
    "features": ["Sunroof", "Sport Chrono"],
    "geo": {"lat": 6.9271, "lon": 79.8612},
}


@dataclass(frozen=True)
class Seller:
    """Somebody who acts on listings; reads see what the latest write did."""

    mesh: Mesh
    account: Account

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {**self.account.headers, **more.pop("headers", {})}
        return await self.mesh.client.request(method, path, headers=headers, **more)

    async def create(self, **fields: Any) -> httpx.Response:
        """A listing of the car, other fields as given; None leaves one out."""
        body = {name: value for name, value in {**CAR, **fields}.items() if value is not None}
        headers = {"Idempotency-Key": uuid4().hex}
        return await self.ask("POST", "/api/listings", json=body, headers=headers)

    async def offer(self, **fields: Any) -> httpx.Response:
        """The same, for everyone to see."""
        answer = await self.create(publish=True, **fields)
        assert answer.status_code == 201, answer.text
        return answer

    async def change(self, version: int, path: str, **fields: Any) -> httpx.Response:
        return await self.ask("PATCH", path, json=fields, headers={"If-Match": f'"{version}"'})

    async def read(self, path: str, after: httpx.Response, **params: Any) -> httpx.Response:
        """A read that sees the write which `after` answered."""
        return await self.ask("GET", path, params=params, headers=token_of(after))


def token_of(answer: httpx.Response) -> dict[str, str]:
    return {"Consistency-Token": answer.headers["Consistency-Token"]}


def path_of(answer: httpx.Response) -> str:
    """The listing's own path."""
    return f"/api/listings/{answer.json()['id']}"


def reason_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["reason"]


def pointers_of(answer: httpx.Response) -> list[str]:
    return [fault["pointer"] for fault in answer.json()["errors"]]


async def review(reviewer: Seller, offered: httpx.Response, **fields: Any) -> httpx.Response:
    """What somebody says of the seller of this listing."""
    body = {"listing_id": offered.json()["id"], "rating": 4, **fields}
    return await reviewer.ask("POST", "/api/reviews", json=body, headers=token_of(offered))
