"""Schemathesis over a running API: `python -m tests.api.fuzzing URL [EXAMPLES]`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx

TIMEOUT_S = 3_600.0
# Each is told a valid token; what is refused for other reasons than its form is no fault.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)
# A log-out ends the session that the run lives on.
LAST_DEEDS = ("log_out", "log_out_everywhere")


@dataclass(frozen=True)
class Fuzzed:
    """How a run ended."""

    ok: bool
    report: str


async def fuzzed(
    url: str, headers: Mapping[str, str], tags: Sequence[str], examples: int
) -> Fuzzed:
    """Ask every operation of these tags (all of them without any)."""
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/openapi.json"),
        *("--phases=examples,coverage,fuzzing", f"--max-examples={examples}", "--no-color"),
        *("--continue-on-failure", "--warnings=off", f"--checks={','.join(CHECKS)}"),
        *(word for name, value in headers.items() for word in ("-H", f"{name}: {value}")),
        *(word for tag in tags for word in ("--include-tag", tag)),
        *(word for name in LAST_DEEDS for word in ("--exclude-operation-id", name)),
    ]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Fuzzed(process.returncode == 0, output.decode("utf-8", "replace"))


async def _token(url: str) -> dict[str, str]:
    """Somebody new, logged in."""
    who = {"email": f"{uuid4().hex}@example.org", "password": uuid4().hex}
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        joined = {**who, "name": "Fuzzing", "role": "seller"}
        (await client.post("/api/auth/register", json=joined)).raise_for_status()
        answer = await client.post("/api/auth/login", json=who)
        answer.raise_for_status()
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def main(url: str, examples: int) -> int:
    """Ask everything of the API at `url`; prints the report."""
    done = await fuzzed(url, await _token(url), (), examples)
    print(done.report)
    return int(not done.ok)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100)))
