"""Schemathesis over a running API, as one role after another, and what to think of what came back."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.api.fuzzing_people import Run
from tests.api.running import ROOT

TIMEOUT_S = 7_200.0
SHUT_MAX = 0.05  # of a role's answers: more, and it is no longer the role that asks
CONFIG = Path(__file__).with_name("fuzzing.toml")
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


@dataclass(frozen=True)
class Effort:
    """How much is asked."""

    examples: int
    phases: str
    seed: str


@dataclass(frozen=True)
class Fuzzed:
    """How one run ended, and the answers by operation."""

    run: Run
    ok: bool
    report: str
    tally: Mapping[str, Counter[str]]

    @property
    def total(self) -> Counter[str]:
        return sum(self.tally.values(), Counter())

    @property
    def faults(self) -> list[str]:
        """Why this is no good run; empty for a good one."""
        total = self.total
        found = [] if self.ok else [self.report]
        found += [f"{each}: 5xx" for each, tally in self.tally.items() if tally["broken"]]
        found += [f"{each}: never asked" for each in self.run.operations if not self.asked(each)]
        if total["shut"] > SHUT_MAX * total["asked"]:
            shut = {each: tally["shut"] for each, tally in self.tally.items() if tally["shut"]}
            found.append(f"{total['shut']} of {total['asked']} answers are 401, 403 or 429: {shut}")
        return [f"{self.run.role}: {each}" for each in found]

    def asked(self, operation_id: str) -> int:
        return self.tally.get(operation_id, Counter())["asked"]


async def fuzzed(url: str, run: Run, effort: Effort, folder: Path) -> Fuzzed:
    """Ask the operations of this run."""
    file = folder / f"{run.role}.json"
    file.write_text(json.dumps({"url": url, **asdict(run)}), "utf-8")
    process = await asyncio.create_subprocess_exec(
        *command(url, run.operations, effort),
        cwd=folder,
        env=environment(file),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    report = output.decode("utf-8", "replace")
    tally = json.loads(file.with_suffix(".tally").read_text("utf-8"))
    counted = {name: Counter(each) for name, each in tally.items()}
    return Fuzzed(run, process.returncode == 0, report, counted)


def command(url: str, operations: Sequence[str], effort: Effort) -> list[str]:
    return [
        *(str(Path(sys.executable).with_name("schemathesis")), f"--config-file={CONFIG}"),
        *("run", f"{url}/openapi.json"),
        *(f"--phases={effort.phases}", f"--max-examples={effort.examples}", "--no-color"),
        *(f"--seed={effort.seed}", "--generation-database=none", "--suppress-health-check=all"),
        # What happens without credentials or with forged ones, the check `ignored_auth` asks.
        "--generation-with-security-parameters=false",
        *("--continue-on-failure", "--warnings=off", f"--checks={','.join(CHECKS)}"),
        *(word for name in operations for word in ("--include-operation-id", name)),
    ]


def environment(run: Path) -> dict[str, str]:
    return {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "tests.api.fuzzing_hooks",
        "MESH_FUZZING_RUN": str(run),
        "PYTHONPATH": str(ROOT),
    }


def table(found: Sequence[Fuzzed]) -> str:
    """The counts, a line a role."""
    lines = [
        f"{'role':<10}{'operations':>11}{'asked':>9}{'reached':>9}{'5xx':>6}{'401 403 429':>13}"
    ]
    for each in found:
        total = each.total
        share = total["shut"] / (total["asked"] or 1)
        lines.append(
            f"{each.run.role:<10}{len(each.run.operations):>11}{total['asked']:>9,}"
            f"{total['reached']:>9,}{total['broken']:>6}{share:>13.1%}"
        )
    reached = sum(each.total["reached"] for each in found)
    return "\n".join([*lines, f"{reached:,} requests came to their handlers"])
