"""Mapping files: YAML in, a checked Mapping out, or every fault with its place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from cli.imports.mapping import Mapping
from cli.imports.rules import KINDS

_RULE_DEPTH = 2  # fields.<name>.<kind>.…: pydantic puts the rule's kind into the place


class MappingError(Exception):
    """The mapping can't be used; the text names every fault by its place in the file."""


class _Loader(yaml.SafeLoader):
    """YAML whose only booleans are true and false, and whose keys stand once.

    With YAML 1.1's rules the vocabulary `no: false` would be read as `False: false`.
    """


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def _construct_once(loader: _Loader, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
    seen = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            line = key_node.start_mark.line + 1
            message = f"line {line}: {key!r} stands twice"
            raise MappingError(message)
        seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=deep)


def _construct_mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    return _construct_once(loader, node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_mapping)


def load_mapping(path: Path) -> Mapping:
    """The mapping in a file; raises MappingError."""
    try:
        return parse_mapping(path.read_text("utf-8"))
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise MappingError(message) from error
    except (MappingError, UnicodeDecodeError) as error:
        message = f"{path}:\n{error}"
        raise MappingError(message) from error


def parse_mapping(text: str) -> Mapping:
    """The mapping that a YAML text holds; raises MappingError."""
    try:
        found = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader with fewer booleans
    except yaml.YAMLError as error:
        message = f"not YAML: {error}"
        raise MappingError(message) from error
    try:
        return Mapping.model_validate(found)
    except ValidationError as error:
        raise MappingError("\n".join(_fault(each) for each in error.errors())) from None


def _fault(fault: Any) -> str:
    """`fields.price_minor.decimal: Input should be '.' or ','`."""
    place = list(fault["loc"])
    if place[:1] == ["fields"] and len(place) > _RULE_DEPTH and place[_RULE_DEPTH] in KINDS:
        del place[_RULE_DEPTH]
    message = fault["msg"].removeprefix("Value error, ")
    return f"  {'.'.join(str(part) for part in place) or 'the file'}: {message}"
