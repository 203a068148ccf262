"""Where the links in mails lead when there is no frontend: two pages, of no use to anything else.

The token stands behind the # and so reaches no server but in the body of the post that uses it.
Opening a page uses nothing up: mail scanners open every link. Nothing on the pages comes from
the request, and their one script is named by its hash.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Any

from starlette.responses import Response

from api.entry.doors import ANYONE, UNLIMITED, Door
from api.entry.routing import new_router
from api.wire.problems import problem_responses

router = new_router("identity")

_SCRIPT = """
const form = document.querySelector("form"), said = document.querySelector("output");
const token = new URLSearchParams(location.hash.slice(1)).get("token");
history.replaceState(null, "", location.pathname);
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = {...Object.fromEntries(new FormData(form)), token};
  const sent = {method: "POST", headers: {"Content-Type": "application/json"},
    body: JSON.stringify(body)};
  try {
    const answer = await fetch(form.dataset.address, sent);
    said.textContent = answer.ok ? "Done. You can close this page." : (await answer.json()).detail;
    form.hidden = answer.ok;
  } catch { said.textContent = "That did not work. Try again soon."; }
});
"""
_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title></head>
<body>
<h1>{title}</h1>
<form data-address="{address}">{fields}<button>{button}</button></form>
<p><output></output></p>
<script>{script}</script>
</body>
</html>
"""
_FIELD = (
    '<p><label>New password <input type="password" name="password" required minlength="8"'
    ' maxlength="256" autocomplete="new-password"></label></p>'
)
_HASH = b64encode(sha256(_SCRIPT.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; script-src 'sha256-{_HASH}'; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
}

_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A page with a button",
        "content": {"text/html": {"schema": {"type": "string"}, "example": "<!doctype html>…"}},
    },
    **problem_responses(),
}


def _page(title: str, address: str, button: str, fields: str = "") -> Response:
    page = _PAGE.format(title=title, address=address, button=button, fields=fields, script=_SCRIPT)
    return Response(page, headers=_HEADERS, media_type="text/html")


@router.get(
    "/verify-email",
    operation_id="show_verify_email",
    response_class=Response,
    responses=_RESPONSES,
)
@Door(ANYONE, UNLIMITED, any_query=True)
async def show_verify_email() -> Response:
    """Where the link of a verification mail leads: a button that proves the e-mail."""
    return _page("Confirm your e-mail address", "/api/auth/verify-email", "Confirm")


@router.get(
    "/reset-password",
    operation_id="show_reset_password",
    response_class=Response,
    responses=_RESPONSES,
)
@Door(ANYONE, UNLIMITED, any_query=True)
async def show_reset_password() -> Response:
    """Where the link of a reset mail leads: a form for another password."""
    return _page("Set a new password", "/api/auth/reset-password", "Set password", _FIELD)
