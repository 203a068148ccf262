"""House rules about secrets and dependencies: none is in a commit, and each is pinned."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

# Forms that nothing but a secret has. Examples and tests make theirs when they run.
_FORMS = {
    "a private key": r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s*\n\s*[A-Za-z0-9+/=]{20}",
    "a cloud's access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a token of a code host": r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|glpat-[\w-]{20}|github_pat_\w{60})",
    "a token of a chat": r"\bxox[abprs]-[\w-]{20}",
    "a payment provider's key": r"\b[rs]k_live_[A-Za-z0-9]{20}",
    "a signed token": r"\beyJ[\w-]{20,}\.eyJ[\w-]{20,}\.[\w-]{20,}",
    "an API key of ours": r"\bmm_[\w-]{64}(?![\w-])",
    "a password in an address": r"\b[a-z][a-z0-9+.-]*://[\w.-]*:(?=[^\s:/@{}$*]*\d)(?=[^\s:/@{}$*]*[A-Z])"
    r"[^\s:/@{}$*]{16,}@(?!127\.0\.0\.1)",
}
_COMPILED = {what: re.compile(form) for what, form in _FORMS.items()}


def secrets(files: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Secrets that somebody has left in a file; never the secret itself."""
    for path, text in files:
        for what, form in _COMPILED.items():
            for found in form.finditer(text):
                number = text.count("\n", 0, found.start()) + 1
                yield f"{path}:{number}: {what}: revoke it, then take it out"


def unpinned(path: str, lock: str) -> Iterator[str]:
    """Requirements without one version and its hashes: what is installed must be what was tested."""
    entries = re.split(r"\n(?=[A-Za-z0-9@])", lock)
    for entry in entries:
        name = re.split(r"[\s\[=@;<>~!]", entry.strip(), maxsplit=1)[0]
        if not name or name.startswith("#"):
            continue
        if not re.match(rf"{re.escape(name)}(?:\[[\w,-]+\])?==[\w.+!]+", entry.strip()):
            yield f"{path}: {name}: not pinned to one version"
        elif "--hash=sha256:" not in entry:
            yield f"{path}: {name}: without hashes"
