"""The page behind a link of a mail that turns mails off: a button, for opening it must not do it."""

from __future__ import annotations

from typing import Final

from api.wire.successes import NO_STORE

STOP_PAGE: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Stop these mails</title></head>
<body>
<h1>Stop these mails</h1>
<form method="post"><button>Unsubscribe</button></form>
</body>
</html>
"""
STOP_PAGE_HEADERS: Final = {
    **NO_STORE,
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",  # the address is what gives the right
}
