"""The security audit: `python -m tests.house.audit [FOLDER…]`, or `make audit`.

Four questions: does bandit find anything in our code, does pip-audit know of a vulnerability in
what is locked, is a secret in a file, is a dependency unpinned. Where the second is not answered,
for want of a network or of an index that knows advisories, the audit says so and ends with 2.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from tests.house.rules.secret_rules import secrets, unpinned
from tests.house.sources import PACKAGES, ROOT, text_files

LOCKS = ("requirements.lock", "infra/docker/requirements.lock")
TIMEOUT_S = 300.0
FOUND, NOT_CHECKED = 1, 2
NAMED_MAX = 3  # of the dependencies that could not be asked for


class NotAskedError(Exception):
    """The vulnerability service told nothing of some dependencies; the text says of how many."""


def code_findings(folders: Sequence[str]) -> Iterator[str]:
    """What bandit finds, from medium severity and confidence on."""
    command = ["bandit", "--quiet", "--format=json", "-ll", "-ii", "-c", "pyproject.toml", "-r"]
    found = _run("-m", *command, *folders)
    report = json.loads(found.stdout)
    for each in report["errors"]:
        yield f"{each['filename']}: not looked at: {each['reason']}"
    for each in report["results"]:
        yield f"{each['filename']}:{each['line_number']}: {each['test_id']} {each['issue_text']}"


def known_vulnerabilities(lock: str) -> Iterator[str]:
    """What pip-audit knows of the locked versions; raises NotAskedError without a network, and
    where an index in between knows packages but not what is wrong with them: pip-audit passes
    over those and calls it well.
    """
    command = ["pip_audit", "--format=json", "--disable-pip", "--require-hashes"]
    found = _run("-m", *command, "--progress-spinner=off", "-r", lock)
    try:
        report = json.loads(found.stdout)
    except ValueError:
        message = "pip-audit could not reach its service"
        raise NotAskedError(message) from None
    yield from vulnerable(report)
    every = report["dependencies"]
    unasked = [each["name"] for each in every if "skip_reason" in each]
    if unasked:
        names = ", ".join(unasked[:NAMED_MAX])
        message = f"pip-audit learned nothing of {len(unasked)} of {len(every)} ({names} …)"
        raise NotAskedError(message)


def vulnerable(report: dict[str, Any]) -> Iterator[str]:
    """The findings of one report of pip-audit."""
    for each in report["dependencies"]:
        for known in each.get("vulns", ()):
            fixed = ", ".join(known["fix_versions"]) or "no version yet"
            yield f"{each['name']} {each['version']}: {known['id']}, mended in {fixed}"


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def audit(folders: Sequence[str]) -> Iterator[str]:
    """Every finding, in words; raises NotAskedError behind the last."""
    yield from code_findings(folders)
    yield from secrets(text_files())
    for lock in LOCKS:
        yield from unpinned(lock, (ROOT / lock).read_text("utf-8"))
    yield from known_vulnerabilities(LOCKS[0])


def main(folders: Sequence[str]) -> int:
    """Print what is found: FOUND if anything is, NOT_CHECKED if nothing is as far as it went."""
    ended = 0
    try:
        for finding in audit(folders):
            ended = FOUND
            print(finding)
    except NotAskedError as error:
        print(
            f"not checked for known vulnerabilities: {error}; ask again where PyPI answers itself"
        )
        return ended or NOT_CHECKED
    print("all checked" if ended else "all checked, nothing found")
    return ended


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or PACKAGES))
