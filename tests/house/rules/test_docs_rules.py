from __future__ import annotations

from pathlib import Path

import click
import pytest
import typer.main

from cli.main import load
from tests.house.rules.docs_rules import (
    broken_links,
    code,
    make_targets,
    missing_modules,
    missing_paths,
    missing_targets,
    pages,
    wrong_commands,
)
from tests.house.sources import ROOT

PAGES = pages()
MESH = typer.main.get_command(load())
TARGETS = make_targets((ROOT / "Makefile").read_text("utf-8"))


@click.group()
def planted() -> None:
    """A program with one command."""


@planted.command()
@click.option("--loud/--quiet")
def speak(*, loud: bool) -> None:
    """Say something."""
    click.echo(str(loud))


def test_every_page_that_is_promised_is_there() -> None:
    found = {path for path, _ in PAGES}
    assert found >= {
        "README.md",
        "CHANGELOG.md",
        "docs/architecture.md",
        "docs/adding-an-event.md",
        "docs/adding-a-projection.md",
        "docs/adding-an-endpoint.md",
        "docs/importing.md",
        "docs/mission.md",
        "docs/adr/0000-template.md",
    }


def test_every_link_leads_to_a_file() -> None:
    assert list(broken_links(PAGES)) == []


def test_a_broken_link_is_caught(tmp_path: Path) -> None:
    (tmp_path / "there.md").touch()
    text = "[a](there.md#part) [b](gone.md) [c](https://example.org/x) [d](#here)"
    assert list(broken_links([("a.md", text)], tmp_path)) == ["a.md: link to gone.md: no such file"]


def test_every_path_named_in_a_page_exists() -> None:
    assert list(missing_paths(PAGES)) == []


def test_a_path_that_is_not_there_is_caught() -> None:
    text = "`schemas/topics.py` `schemas/gone.py` `schemas/<ctx>.py` `gone.py`"
    assert list(missing_paths([("a.md", text)])) == [
        "a.md: `schemas/gone.py`: no such file or folder"
    ]


def test_every_module_named_in_a_page_exists() -> None:
    assert list(missing_modules(PAGES)) == []


def test_a_module_that_is_not_there_is_caught() -> None:
    text = "`python -m tests.house.accept` `python -m gone.module`"
    assert list(missing_modules([("a.md", text)])) == [
        "a.md: `python -m gone.module`: no such module"
    ]


def test_every_mesh_command_named_in_a_page_exists() -> None:
    assert list(wrong_commands(PAGES, MESH)) == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("mesh speak --loud", None),
        ("mesh speak [--quiet]", None),
        ("mesh <command> --help", None),
        ("mesh speak --help", None),
        ("mesh sing", "no command sing"),
        ("mesh speak --softly=1", "no option --softly"),
    ],
)
def test_a_mesh_command_that_is_not_there_is_caught(line: str, told: str | None) -> None:
    found = list(wrong_commands([("a.md", f"`{line}`")], planted))
    assert found == ([f"a.md: `{line}`: {told}"] if told else [])


def test_every_make_target_named_in_a_page_exists() -> None:
    assert list(missing_targets(PAGES, TARGETS)) == []


def test_a_make_target_that_is_not_there_is_caught() -> None:
    found = missing_targets([("a.md", "`make up` `make coffee`")], make_targets("up: x\n\ty\n"))
    assert list(found) == ["a.md: `make coffee`: no such target"]


def test_commands_are_read_from_spans_and_from_blocks() -> None:
    text = "Say `mesh up` or\n\n    mesh down\n\n```sh\n$ mesh status  # how it is\n```\n"
    assert list(code(text)) == ["mesh up", "mesh status", "mesh down"]
