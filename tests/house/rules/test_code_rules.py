from __future__ import annotations

from importlib.metadata import packages_distributions

import pytest

from tests.house.rules.code_rules import (
    functions_too_long,
    impure_calls,
    metrics,
    metrics_made_elsewhere,
    metrics_misnamed,
    metrics_unused,
    modules_too_long,
    retries_that_fall_through,
    vague_names,
)
from tests.house.sources import CODE, PACKAGES, ROOT, Source, sources

METRICS = Source("infra/metrics.py", (ROOT / "infra" / "metrics.py").read_text("utf-8"))


def planted(path: str, text: str) -> list[Source]:
    return [Source(path, text)]


def test_no_module_is_longer_than_500_lines() -> None:
    assert list(modules_too_long(sources(*CODE))) == []


def test_a_module_of_501_lines_is_caught() -> None:
    assert not list(modules_too_long(planted("api/a.py", "x = 1\n" * 500)))
    (caught,) = modules_too_long(planted("api/a.py", "x = 1\n" * 501))
    assert "501 lines" in caught


def test_no_function_is_longer_than_70_lines() -> None:
    assert list(functions_too_long(sources(*CODE))) == []


def test_a_function_of_71_lines_is_caught_inside_another_too() -> None:
    body = "    x = 1\n" * 69
    assert not list(functions_too_long(planted("api/a.py", f"def f():\n{body}")))
    (caught,) = functions_too_long(planted("api/a.py", f"def f():\n{body}    x = 1\n"))
    assert "f has 71 lines" in caught


def test_no_file_or_folder_has_a_name_that_says_nothing() -> None:
    assert list(vague_names(sources(*CODE))) == []


@pytest.mark.parametrize("path", ["api/utils.py", "tests/helpers.py", "infra/common/a.py"])
def test_a_name_that_says_nothing_is_caught(path: str) -> None:
    assert len(list(vague_names(planted(path, "")))) == 1


def test_schemas_rules_and_folds_ask_no_clock_and_no_chance() -> None:
    assert list(impure_calls(sources(*PACKAGES))) == []


@pytest.mark.parametrize(
    "text",
    [
        "from datetime import datetime\nx = datetime.now(tz)",
        "x = date.today()",
        "from uuid import uuid4\nx = uuid4()",
        "import random",
        "from random import choice",
        "import secrets",
        "import time",
    ],
)
@pytest.mark.parametrize("path", ["schemas/a.py", "producers/a.py", "projections/a/b.py"])
def test_a_clock_or_chance_in_a_rule_is_caught(path: str, text: str) -> None:
    assert len(list(impure_calls(planted(path, text)))) == 1


def test_the_writers_runtime_may_ask_the_clock() -> None:
    text = "x = datetime.now(tz)"
    assert not list(impure_calls(planted("producers/writer/loop.py", text)))
    assert not list(impure_calls(planted("processors/a.py", text)))


def test_no_retry_falls_through_its_last_try() -> None:
    assert list(retries_that_fall_through(sources(*PACKAGES))) == []


_TRY = "    try:\n        f()\n    except OSError:\n        continue\n    else:\n        {end}\n"


@pytest.mark.parametrize(
    "text",
    [
        "def g():\n  for _ in range(3):\n" + _TRY.format(end="return"),
        "async def g():\n  for each in range(3):\n    if await f():\n        return\n",
        "def g():\n  if x:\n   for _ in range(3):\n    if f():\n     break\n  h()\n",
    ],
)
def test_a_retry_that_falls_through_is_caught(text: str) -> None:
    (caught,) = retries_that_fall_through(planted("api/a.py", text))
    assert "falls through" in caught


@pytest.mark.parametrize(
    "text",
    [
        "def g():\n  for _ in range(3):\n" + _TRY.format(end="return") + "  raise OSError\n",
        "def g():\n  for _ in range(3):\n    if f():\n      break\n  else:\n    raise OSError\n",
        "def g():\n  for _ in range(3):\n    if f():\n      return 1\n  return GAVE_UP\n",
        "def g():\n  for each in range(3):\n    h(each)\n",
        "def g():\n  for each in things:\n    if f(each):\n      return\n",
    ],
)
def test_a_retry_that_says_how_it_ends_may_stand(text: str) -> None:
    assert list(retries_that_fall_through(planted("api/a.py", text))) == []


def test_no_installed_distribution_ships_a_top_level_name_of_ours() -> None:
    ours = {*CODE, "docs"}
    shipped = packages_distributions()
    assert {name: set(shipped.get(name, ())) - {"marketmesh"} for name in ours} == {
        name: set() for name in ours
    }


def test_metrics_are_made_in_the_one_list_only() -> None:
    assert list(metrics_made_elsewhere(sources(*PACKAGES))) == []


def test_a_metric_made_elsewhere_is_caught() -> None:
    text = "from prometheus_client import Counter\nX = Counter('mesh_x_total', '')"
    assert len(list(metrics_made_elsewhere(planted("api/a.py", text)))) == 1


def test_metrics_are_named_as_prometheus_asks() -> None:
    assert len(list(metrics(METRICS))) > 10
    assert list(metrics_misnamed(METRICS)) == []


@pytest.mark.parametrize(
    "made",
    [
        'X = Counter("mesh_things", "")',
        'X = Gauge("mesh_things_total", "")',
        'X = Histogram("mesh_waits", "")',
        'X = Gauge("mesh_wait_ms", "")',
        'X = Gauge("things", "")',
        'X = Gauge("mesh_Things", "")',
        'X = Gauge("mesh_a", "")\nY = Gauge("mesh_a", "")',
    ],
)
def test_a_misnamed_metric_is_caught(made: str) -> None:
    assert len(list(metrics_misnamed(Source("infra/metrics.py", made)))) == 1


def test_every_metric_is_moved_by_somebody() -> None:
    assert list(metrics_unused(METRICS, sources(*PACKAGES))) == []


def test_a_metric_that_nobody_moves_is_caught() -> None:
    listed = Source("infra/metrics.py", 'X = Counter("mesh_x_total", "")')
    assert len(list(metrics_unused(listed, planted("api/a.py", "Y.inc()")))) == 1
    assert not list(metrics_unused(listed, planted("api/a.py", "metrics.X.inc()")))
