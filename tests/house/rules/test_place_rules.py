from __future__ import annotations

import pytest

from tests.house.rules.place_rules import (
    MODULES_MAX,
    crowded_folders,
    machine_paths,
    registry_hosts,
)
from tests.house.sources import text_files


def test_no_file_holds_the_address_of_a_package_registry() -> None:
    assert list(registry_hosts(text_files())) == []


def test_the_address_of_a_registry_is_caught() -> None:
    address = "https://" + "files.pythonhosted" + ".org/packages/x.whl"
    assert list(registry_hosts([("a.lock", f"x\n{address}")])) == [
        "a.lock:2: a package registry's address: take it out"
    ]


def test_no_file_holds_a_path_of_one_machine() -> None:
    assert list(machine_paths(text_files())) == []


@pytest.mark.parametrize("path", ["/" + "work/main/a", "/" + "tmp/a", "`/" + "home/me/a`"])
def test_a_path_of_one_machine_is_caught(path: str) -> None:
    assert len(list(machine_paths([("a.md", path)]))) == 1


@pytest.mark.parametrize(
    "text", ["docs/" + "work/a", "https://host/tmp/a", "/api/home/", "../tmp/a"]
)
def test_a_path_within_something_else_is_let_through(text: str) -> None:
    assert not list(machine_paths([("a.md", text)]))


def test_no_folder_holds_more_modules_than_one_takes_in_at_a_look() -> None:
    assert list(crowded_folders(path for path, _ in text_files())) == []


def test_a_crowded_folder_is_caught() -> None:
    there = [f"api/things/part_{n}.py" for n in range(MODULES_MAX)]
    beside = ["api/things/__init__.py", "api/things/parts/one.py", "api/things/help.md"]
    assert not list(crowded_folders([*there, *beside]))
    assert list(crowded_folders([*there, *beside, "api/things/more.py"])) == [
        "api/things: 21 modules: group them in folders of at most 20"
    ]
