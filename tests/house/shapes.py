"""What a change of an event's shape breaks: JSON Schemas compared, old against new.

Stored events are for ever, so the class must go on reading whatever it once accepted, and must
not lose a field that readers of history know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.log.messages import Event

Schema = Mapping[str, Any]

_DEFS = "$defs"
_REF = "$ref"
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_EXACT = ("pattern", "format", "const", "discriminator")
_WORDS = frozenset(["title", "description", "default", "examples"])  # say nothing about shape


def shape_of(event_type: type[Event]) -> dict[str, Any]:
    """The event's JSON Schema without references and without words."""
    schema = event_type.model_json_schema()
    plain: dict[str, Any] = _plain(schema, schema.get(_DEFS, {}))
    return plain


def _plain(node: Any, defs: Schema) -> Any:
    if isinstance(node, list):
        plain = [_plain(each, defs) for each in node]
        return sorted(plain) if all(isinstance(each, str) for each in plain) else plain
    if not isinstance(node, dict):
        return node
    if _REF in node:
        return _plain(defs[node[_REF].rpartition("/")[2]], defs)
    return {
        key: {name: _plain(each, defs) for name, each in sorted(value.items())}
        if key == "properties"
        else _plain(value, defs)
        for key, value in sorted(node.items())
        if key not in _WORDS and key not in {_DEFS, "additionalProperties"}
    }


def breaks(old: Schema, new: Schema, place: str = "") -> Iterator[str]:
    """What the new shape no longer takes, or no longer tells, by place."""
    if "anyOf" in old or "anyOf" in new:
        yield from _lost_options(old, new, place)
        return
    if not _types(old) <= _types(new):
        yield f"{place}: was {_told(old)}, is {_told(new)}"
        return
    yield from _narrowed(old, new, place)
    yield from _properties(old, new, place)
    for key in ("items", "additionalItems"):
        if isinstance(old.get(key), Mapping) and isinstance(new.get(key), Mapping):
            yield from breaks(old[key], new[key], f"{place}[]")
    before, after = old.get("prefixItems", []), new.get("prefixItems", [])
    if len(before) != len(after):
        yield f"{place}: had {len(before)} places, has {len(after)}"
    for index, (was, now) in enumerate(zip(before, after, strict=False)):
        yield from breaks(was, now, f"{place}[{index}]")


def _properties(old: Schema, new: Schema, place: str) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in before:
        if name not in after:
            yield f"{place}.{name}: removed or renamed"
        else:
            yield from breaks(before[name], after[name], f"{place}.{name}")
    for name in set(new.get("required", ())) - set(old.get("required", ())):
        yield f"{place}.{name}: required now"


def _lost_options(old: Schema, new: Schema, place: str) -> Iterator[str]:
    options = new.get("anyOf", [new])
    for was in old.get("anyOf", [old]):
        if not any(not list(breaks(was, now)) for now in options):
            yield f"{place}: no longer takes {_told(was)}"


def _narrowed(old: Schema, new: Schema, place: str) -> Iterator[str]:
    if "enum" in new or "const" in new:
        lost = [value for value in _values(old) if value not in _values(new)]
        if lost or not _values(old):
            yield f"{place}: no longer takes {', '.join(map(str, lost)) or 'every value'}"
    for keys, tighter in ((_LOWER, _greater), (_UPPER, _less)):
        for key in keys:
            if key in new and tighter(new[key], old.get(key)):
                yield f"{place}: {key} was {old.get(key)}, is {new[key]}"
    for key in _EXACT:
        if key in new and key != "const" and new[key] != old.get(key):
            yield f"{place}: {key} was {old.get(key)}, is {new[key]}"


def _values(schema: Schema) -> list[Any]:
    return [schema["const"]] if "const" in schema else list(schema.get("enum", ()))


def _greater(new: float, old: float | None) -> bool:
    return old is None or new > old


def _less(new: float, old: float | None) -> bool:
    return old is None or new < old


def _types(schema: Schema) -> set[str]:
    found = schema.get("type")
    types = {found} if isinstance(found, str) else set(found or ())
    # A whole number is a number, so a field may widen from one to the other.
    return types | {"integer"} if "number" in types else types


def _told(schema: Schema) -> str:
    return str(schema.get("type") or schema.get("enum") or dict(schema))
