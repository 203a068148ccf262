"""The audit finds what is planted, and nothing in what there is."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.house import audit
from tests.house.rules.secret_rules import secrets, unpinned
from tests.house.sources import PACKAGES, ROOT, text_files

PLANTED = "import subprocess\n\nsubprocess.call(input(), shell=True)\n"


def test_NS_11_every_lint_run_looks_for_weak_code() -> None:
    """Ruff knows bandit's rules; bandit itself reads all of the code in `make audit`."""
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["ruff"]["lint"]
    loosened = {path for path, rules in lint["per-file-ignores"].items() if "S" in rules}
    assert lint["select"] == ["ALL"]
    assert [each for each in lint["ignore"] if each.startswith("S")] == ["S101"]
    assert {path.split("/")[0] for path in loosened} == {"tests", "bench"}


@pytest.mark.asvs("V1.5.2")
def test_NS_11_a_planted_weakness_fails_the_audit(tmp_path: Path, monkeypatch, capsys) -> None:
    (tmp_path / "planted.py").write_text(PLANTED)
    monkeypatch.setattr(audit, "known_vulnerabilities", lambda _lock: iter(()))
    assert audit.main([str(tmp_path)]) == 1
    assert "planted.py:3: B602" in capsys.readouterr().out


def test_NS_11_a_file_that_can_not_be_read_is_no_clean_one(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def broken(:\n")
    (told,) = audit.code_findings([str(tmp_path)])
    assert "broken.py: not looked at" in told


def test_NS_11_no_file_holds_a_secret() -> None:
    assert list(secrets(text_files())) == []


# In pieces, so that this file does not hold what it looks for.
SECRETS = [
    "-----BEGIN EC PRIVATE " + "KEY-----\nMHcCAQEEIBkg4LVWM9nuwNSk3yByxZpYRTBnVJk5hKMA",
    "aws_access_key_id = AKIA" + "IOSFODNN7EXAMPLE",
    "GITHUB_TOKEN=gh" + "p_" + "a1" * 18,
    "xox" + "b-123456789012-abcdefghijkl",
    "sk_" + "live_" + "a1" * 12,
    "ey" + "JhbGciOiJFUzI1NiIsInR5cCI.ey" + "JzdWIiOiIxMjM0NTY3ODkwIn0." + "a1" * 20,
    "Authorization: Bearer mm" + "_" + "aB3-" * 16,
    "postgresql://mesh:" + "hT7kQp2LmR9sXw4Z" + "@db.example.org/mesh",
]


@pytest.mark.parametrize("text", SECRETS)
def test_NS_11_a_planted_secret_is_found_and_not_repeated(text: str) -> None:
    (found,) = secrets([("a.env", f"x\n{text}\n")])
    assert found.startswith("a.env:2: ")
    assert text.splitlines()[-1][-16:] not in found


@pytest.mark.parametrize(
    "text",
    ["postgresql://mesh:${POSTGRES_PASSWORD}@db/mesh", "redis://:password@127.0.0.1/0", "mm_AZgA…",
     "eyJhbGciOiJFUzI1NiIs…", "-----BEGIN PUBLIC KEY-----"],
)  # fmt: skip
def test_NS_11_an_example_is_no_secret(text: str) -> None:
    assert list(secrets([("a.md", text)])) == []


@pytest.mark.parametrize("lock", audit.LOCKS)
def test_NS_11_every_dependency_is_pinned_with_its_hashes(lock: str) -> None:
    assert list(unpinned(lock, (ROOT / lock).read_text("utf-8"))) == []


@pytest.mark.parametrize(
    ("line", "what"),
    [("a>=1", "not pinned"), ("a", "not pinned"), ("a @ https://host/a.whl", "not pinned"),
     ("a==1.0", "without hashes"), ("-e .\na==*", "not pinned")],
)  # fmt: skip
def test_NS_11_a_loose_dependency_is_found(line: str, what: str) -> None:
    pinned = "b==1.0 \\\n    --hash=sha256:00\n    # via c\n"
    (found,) = unpinned("a.lock", pinned + line)
    assert what in found


def test_NS_11_a_known_vulnerability_is_told_with_its_cure() -> None:
    known = {"id": "PYSEC-1", "fix_versions": ["1.2"]}
    report = {"dependencies": [{"name": "a", "version": "1.1", "vulns": [known]},
                               {"name": "b", "version": "1", "vulns": []}]}  # fmt: skip
    assert list(audit.vulnerable(report)) == ["a 1.1: PYSEC-1, mended in 1.2"]


def test_NS_11_a_dependency_that_nobody_was_asked_about_is_told(monkeypatch) -> None:
    """Behind the others' findings: pip-audit itself calls that well and ends with 0."""
    report = {"dependencies": [{"name": "a", "version": "1.1",
                                "vulns": [{"id": "PYSEC-1", "fix_versions": []}]},
                               {"name": "b", "skip_reason": "not found"}]}  # fmt: skip
    ran = subprocess.CompletedProcess([], 0, json.dumps(report), "")
    monkeypatch.setattr(audit, "_run", lambda *_: ran)
    found = audit.known_vulnerabilities(audit.LOCKS[0])
    assert next(found).startswith("a 1.1: PYSEC-1")
    with pytest.raises(audit.NotAskedError, match=r"1 of 2 \(b"):
        next(found)


def unreachable(_lock: str) -> Iterator[str]:
    yield from ()
    message = "pip-audit learned nothing of 188 of 188"
    raise audit.NotAskedError(message)


@pytest.mark.parametrize(
    ("findings", "ended"), [([], audit.NOT_CHECKED), (["a.py:1: B602"], audit.FOUND)]
)
def test_NS_11_an_audit_that_could_not_ask_is_no_good_one(
    monkeypatch, capsys, findings, ended
) -> None:
    monkeypatch.setattr(audit, "known_vulnerabilities", unreachable)
    monkeypatch.setattr(audit, "code_findings", lambda _folders: iter(findings))
    monkeypatch.setattr(audit, "text_files", tuple)
    assert audit.main(PACKAGES) == ended != 0
    *told, last = capsys.readouterr().out.splitlines()
    assert told == findings
    assert last.startswith(
        "not checked for known vulnerabilities: pip-audit learned nothing of 188"
    )


def test_NS_11_ci_runs_the_audit() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))
    steps = [step.get("run") for job in workflow["jobs"].values() for step in job["steps"]]
    assert "make audit" in steps
    assert workflow["permissions"] == {"contents": "read"}
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert "\naudit: $(STAMP)" in makefile
    assert "-m tests.house.audit" in makefile
