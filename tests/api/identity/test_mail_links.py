"""The pages that links in mails lead to, without a mesh behind them."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256

import httpx
import pytest

from api.app import create_app
from processors.reactions.mailing.mails import PAGES
from schemas.identity import TokenPurpose
from tests.infra.channels.given import settings_with

ADDRESSES = {
    TokenPurpose.VERIFY_EMAIL: "/api/auth/verify-email",
    TokenPurpose.RESET_PASSWORD: "/api/auth/reset-password",
}


async def page_of(purpose: TokenPurpose) -> httpx.Response:
    app = create_app(settings_with())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(f"/{PAGES[purpose]}")


@pytest.mark.parametrize("purpose", TokenPurpose)
async def test_NO_05_every_link_leads_to_a_page_that_posts_to_the_api(
    purpose: TokenPurpose,
) -> None:
    page = await page_of(purpose)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f'data-address="{ADDRESSES[purpose]}"' in page.text
    posts = {
        route.path
        for route in create_app(settings_with()).routes
        if "POST" in getattr(route, "methods", ())
    }
    assert ADDRESSES[purpose] in posts


@pytest.mark.parametrize("purpose", TokenPurpose)
async def test_NS_06_a_page_runs_its_own_script_and_no_other(purpose: TokenPurpose) -> None:
    page = await page_of(purpose)
    (script,) = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    wanted = b64encode(sha256(script.encode()).digest()).decode()
    policies = page.headers.get_list("content-security-policy")
    assert len(policies) == 1
    assert f"script-src 'sha256-{wanted}';" in policies[0]
    assert "default-src 'none'" in policies[0]
    assert "unsafe" not in policies[0]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
