"""The table of deciders misses nothing that a command can be about."""

from __future__ import annotations

import pytest

from producers.writer.deciders import DECIDERS, RULEBOOKS
from schemas.log.messages import Command, category_of
from schemas.topics import CONTEXTS

COMMANDS = [command for context in CONTEXTS for command in context.commands]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: each.__name__)
def test_every_command_has_a_decider_for_its_stream(command: type[Command]) -> None:
    anything = command.model_construct(**dict.fromkeys(command.model_fields, "x"))

    assert category_of(anything.stream_id) in DECIDERS


def test_every_context_with_commands_has_a_rulebook() -> None:
    expected = [context.name for context in CONTEXTS if context.commands]

    assert [each.context.name for each in RULEBOOKS] == expected
