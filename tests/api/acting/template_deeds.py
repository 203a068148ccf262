"""Deeds on templates, for tests.api.acting.deeds, which says what a deed is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from uuid import uuid4

ONE: Final = "/api/templates/search_alerts.ta"


def said(text: str = "") -> dict[str, str]:
    """A body with a text that no other has."""
    return {"text": f"{text or uuid4().hex}\n\nHello.\n\n{{{{ unsubscribe }}}}"}


def on_template(method: str, more: str = "", *, body: bool = True) -> Callable[..., Awaitable[Any]]:
    """A deed of an admin; meanwhile another one has it say something else."""

    async def build(shop: Any) -> Any:
        async def spoil() -> None:
            answer = await shop.admin.ask("PUT", ONE, json=said())
            assert answer.status_code == 200, answer.text

        await spoil()
        sent = {"json": said()} if body else {}
        return shop.deed(shop.admin, method, ONE + more, spoil, **sent)

    return build


DEEDS: Final[Mapping[str, Callable[..., Awaitable[Any]]]] = {
    "override_template": on_template("PUT"),
    "restore_template": on_template("DELETE", body=False),
    "test_template": on_template("POST", "/test"),
}
