"""Marks tell whether two sealed texts are the same, and nothing else."""

from __future__ import annotations

from uuid import UUID

from infra.vault.vault import PersonKey

ONE, TWO = PersonKey(UUID(int=1), bytes(32)), PersonKey(UUID(int=2), bytes(32))
OTHER_KEY = PersonKey(UUID(int=1), b"k" * 32)


def test_PR_02_the_same_text_has_the_same_mark_though_it_is_sealed_otherwise() -> None:
    assert ONE.mark("bio", "Hello") == ONE.mark("bio", "Hello")
    assert ONE.seal("bio", "Hello") != ONE.seal("bio", "Hello")


def test_PR_02_another_text_field_person_or_key_has_another_mark() -> None:
    marks = [
        ONE.mark("bio", "Hello"),
        ONE.mark("bio", "Hello "),
        ONE.mark("location", "Hello"),
        ONE.mark("bi", "o/Hello"),
        TWO.mark("bio", "Hello"),
        OTHER_KEY.mark("bio", "Hello"),
    ]
    assert len(set(marks)) == len(marks)
    assert all(len(mark) == 64 for mark in marks)
