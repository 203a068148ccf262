from __future__ import annotations

import pytest

from tests.house.place_rules import machine_paths, registry_hosts
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
