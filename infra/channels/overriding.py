"""Templates that are written by whoever runs the place: what one may hold, and what it says.

They are read in Jinja's sandbox, which keeps them off everything that is not theirs, and have a
small part of its language only, the one that the shipped templates are written in: variables of
that mail, conditions, loops, and a few filters. There are no calls, so nothing to make a long text
or a long loop with (`range`, `format`, `*`); loops go over lists, and their rounds are counted over
all loops, however they are nested; what is said is measured while it is said. So a text takes a
bounded time and space, whatever is in it.
"""

from __future__ import annotations

import types
from collections.abc import Collection, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, nodes, pass_context
from jinja2.exceptions import SecurityError, UndefinedError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from infra.channels.samples import REQUIRED, SAMPLES, Sample, variables
from infra.channels.texts import Written, greeted, page_of, paragraphs_of
from schemas.log.messages import Fault, Language
from schemas.templates import TemplateName
from schemas.values.texts import Lines

SUBJECT_LENGTH_MAX: Final = 300
SAID_LENGTH_MAX: Final = 50_000  # characters of one mail
ROUNDS_MAX: Final = 200  # of all loops together
LOOPS_DEEP_MAX: Final = 3
POINTER: Final = "/text"

FILTERS: Final = (
    "join",
    "select",
    "first",
    "last",
    "length",
    "upper",
    "lower",
    "capitalize",
    "trim",
)
TESTS: Final = ("eq", "ne", "lt", "le", "gt", "ge", "none", "defined", "even", "odd")
_LOOP: Final = frozenset({"index", "index0", "first", "last", "length", "revindex"})
_ALLOWED: Final = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr,
    nodes.Getitem, nodes.If, nodes.CondExpr, nodes.For, nodes.Assign, nodes.List, nodes.Tuple,
    nodes.Dict, nodes.Pair, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Neg,
    nodes.Add, nodes.Sub, nodes.Concat, nodes.Filter, nodes.Test, nodes.Keyword,
)  # fmt: skip
_FILE: Final = "<template>"
_HARMLESS: Final = (str, int, float)  # what may be written


class TemplateFaultError(Exception):
    """A text is no template of this mail; `detail` says where and how to mend it."""

    def __init__(self, line: int | None, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail if line is None else f"line {line}: {detail}"

    @property
    def fault(self) -> Fault:
        """As callers are told."""
        return Fault(pointer=POINTER, detail=self.detail)


class _TooMuchError(Exception):
    """It says more than a mail can have, or goes on for too long."""


@dataclass
class _Budget:
    rounds: int = ROUNDS_MAX

    def spend(self) -> None:
        self.rounds -= 1
        if self.rounds < 0:
            told = f"its loops go round more than {ROUNDS_MAX} times: take loops out"
            raise _TooMuchError(told)


_budget: ContextVar[_Budget] = ContextVar("rounds of a template")


@pass_context  # so that it is not run while a template is read
def _each_of(_context: Context, value: Any) -> Iterator[Any]:
    """What a loop goes over: a list, one thing at a time."""
    if isinstance(value, Undefined):
        return iter(value)
    if not isinstance(value, list | tuple | types.GeneratorType):
        told = "a loop goes over lists only: loop over `found`, or over [one, another]"
        raise _TooMuchError(told)
    return _counted(value)


def _counted(values: Collection[Any] | Iterator[Any]) -> Iterator[Any]:
    budget = _budget.get()
    for each in values:
        budget.spend()
        yield each


@pass_context
def _join(_context: Context, values: Any, between: Any = "") -> str:
    """Texts with something between them; of a text itself it would make a longer one each time."""
    if isinstance(values, Undefined):
        return str(values)  # which says that there is none
    if isinstance(values, str):
        told = "`join` takes a list: write `[one, another] | join(', ')`"
        raise _TooMuchError(told)
    said, length = [], 0
    for each in values:
        said.append(_written(each))
        length += len(said[-1]) + len(str(between))
        if length > SAID_LENGTH_MAX:
            raise _TooMuchError(_TOO_LONG)
    return str(between).join(said)


_TOO_LONG: Final = f"it says more than {SAID_LENGTH_MAX} characters: write less"


def _written(value: Any) -> str:
    """A value as it is written into a mail: only what is text or a number."""
    if isinstance(value, Undefined):
        return str(value)  # raises, and names it
    if not isinstance(value, _HARMLESS):
        told = "this writes a list or a thing: write one of its fields, such as `each.title`"
        raise _TooMuchError(told)
    return str(value)


def _sandbox() -> ImmutableSandboxedEnvironment:
    sandbox = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,  # it is text; the page that is made of it escapes all of it
        keep_trailing_newline=True,
        finalize=_written,
    )
    sandbox.globals.clear()
    sandbox.filters = {each: sandbox.filters[each] for each in FILTERS}
    sandbox.filters |= {"join": _join, "each_of": _each_of}
    sandbox.tests = {each: sandbox.tests[each] for each in TESTS}
    return sandbox


_environment = _sandbox()


@dataclass
class _Looked:
    """A template while it is looked through."""

    known: Mapping[str, frozenset[str]]
    own: set[str] = field(default_factory=set)  # what it names itself, by `set` and `for`

    def look(self, node: nodes.Node, deep: int = 0) -> None:
        if not isinstance(node, _ALLOWED):
            self._refuse(node)
        match node:
            case nodes.Name():
                self._name(node)
            case nodes.Getattr(attr=attr):
                self._field(node, attr)
            case nodes.Getitem(arg=nodes.Const(value=str(attr))):
                self._field(node, attr)
            case nodes.Filter() | nodes.Test():
                self._word(node)
            case nodes.Assign():
                self._assign(node)
            case nodes.For():
                deep = self._loop(node, deep)
            case _:
                pass
        for each in node.iter_child_nodes():
            self.look(each, deep)

    def _refuse(self, node: nodes.Node) -> None:
        what = _TOLD.get(type(node), f"`{type(node).__name__.lower()}`")
        told = f"{what} can't be used here: use variables, `if`, `for`, and {', '.join(FILTERS)}"
        raise TemplateFaultError(node.lineno, told)

    def _name(self, node: nodes.Name) -> None:
        if node.ctx == "load" and node.name not in {*self.known, *self.own}:
            named = ", ".join(sorted(self.known))
            told = f"there is no variable `{node.name[:40]}` in this mail: use one of {named}"
            raise TemplateFaultError(node.lineno, told)
        if node.ctx != "load" and node.name in {*self.known, "loop"}:
            told = f"`{node.name}` has a meaning in this mail: choose another name"
            raise TemplateFaultError(node.lineno, told)

    def _field(self, node: nodes.Expr, attr: str) -> None:
        if attr.startswith("_") or attr.endswith("_"):
            told = f"`{attr[:40]}` is out of bounds for templates: take it out"
            raise TemplateFaultError(node.lineno, told)
        fields = {each for found in self.known.values() for each in found}
        if isinstance(node, nodes.Getattr) and attr not in {*fields, *_LOOP}:
            named = ", ".join(sorted(fields)) or "none: write the variable alone"
            told = f"nothing in this mail has a field `{attr[:40]}`; there are {named}"
            raise TemplateFaultError(node.lineno, told)

    def _word(self, node: nodes.Filter | nodes.Test) -> None:
        words = FILTERS if isinstance(node, nodes.Filter) else TESTS
        if node.name not in words:
            told = f"`{node.name[:40]}` can't be used here: use one of {', '.join(words)}"
            raise TemplateFaultError(node.lineno, told)
        if node.kwargs or node.dyn_args is not None or node.dyn_kwargs is not None:
            told = f"`{node.name}` takes plain values only: write them one after the other"
            raise TemplateFaultError(node.lineno, told)

    def _assign(self, node: nodes.Assign) -> None:
        """What is set is written out: what grew with each line could become as long as it likes."""
        if not isinstance(node.target, nodes.Name):
            raise TemplateFaultError(node.lineno, "`set` names one thing: write `set word = …`")
        if any(True for _ in node.node.find_all((nodes.Name, nodes.Filter))):
            told = "`set` takes texts, numbers, lists and dictionaries that are written out"
            raise TemplateFaultError(node.lineno, told)
        self.own.add(node.target.name)

    def _loop(self, node: nodes.For, deep: int) -> int:
        if node.recursive or not isinstance(node.target, nodes.Name):
            told = "a loop is written `for each in found`"
            raise TemplateFaultError(node.lineno, told)
        if deep >= LOOPS_DEEP_MAX:
            told = f"a loop in a loop goes {LOOPS_DEEP_MAX} deep at most: take one out"
            raise TemplateFaultError(node.lineno, told)
        self.own |= {node.target.name, "loop"}
        return deep + 1


_TOLD: Final[Mapping[type[nodes.Node], str]] = {
    nodes.Call: "a call, `…(…)`,",
    nodes.Mul: "`*`",
    nodes.Pow: "`**`",
    nodes.Mod: "`%`",
    nodes.Div: "`/`",
    nodes.FloorDiv: "`//`",
    nodes.Slice: "a slice, `[…:…]`,",
}


@dataclass(frozen=True)
class Override:
    """A text that has been read and holds nothing that it may not."""

    name: TemplateName
    language: Language
    template: Any = field(repr=False)

    def written(
        self, *, name: str, link: str = "", links: Collection[str] = (), **values: Any
    ) -> Written:
        """What it says to somebody. Raises TemplateFaultError."""
        values = {**values, "name": greeted(name), "link": link}
        said = self._said(values)
        subject, _, text = said.partition("\n\n")
        subject, text = subject.strip(), text.strip()
        _judge_subject(subject)
        paragraphs = paragraphs_of(text)
        for each in REQUIRED[self.name]:
            if values.get(each) not in paragraphs:
                told = f"{{{{ {each} }}}} is missing: put it into a paragraph of its own"
                raise TemplateFaultError(None, f"{told}, with an empty line before and after it")
        _judge_characters(text, None)
        if not text:
            raise TemplateFaultError(None, "there is nothing below the subject: write a text")
        page = page_of(self.language, subject, text, {link, *links})
        return Written(subject, f"{text}\n", page)

    def _said(self, values: Mapping[str, Any]) -> str:
        token = _budget.set(_Budget())
        try:
            return "".join(_measured(self.template.generate(**values)))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the text's fault
            raise TemplateFaultError(_line_of(error), _cure_of(error)) from None
        finally:
            _budget.reset(token)


def _measured(parts: Iterator[str]) -> Iterator[str]:
    length = 0
    for each in parts:
        length += len(each)
        if length > SAID_LENGTH_MAX:
            raise _TooMuchError(_TOO_LONG)
        yield each


@lru_cache(maxsize=len(TemplateName) * len(Language))
def override_of(name: TemplateName, language: Language, text: str) -> Override:
    """Read a text. Raises TemplateFaultError for what is no template of this mail."""
    try:
        parsed = _environment.parse(text)
        _Looked(variables(name)).look(parsed)
        for each in list(parsed.find_all(nodes.For)):
            each.iter = nodes.Filter(each.iter, "each_of", [], [], None, None, lineno=each.lineno)
        template = _environment.from_string(parsed)
    except TemplateFaultError:
        raise
    except TemplateSyntaxError as error:
        raise TemplateFaultError(error.lineno, f"{error.message}: look near it") from None
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        told = "this is nested too deeply or holds a number that is too long: make it simpler"
        raise TemplateFaultError(None, told) from None
    return Override(name, language, template)


def previews(override: Override) -> Mapping[str, Written]:
    """What it says to made-up people, by what each case is about. Raises TemplateFaultError."""
    return {each.about: filled(override, each) for each in SAMPLES[override.name]}


def filled(override: Override, sample: Sample) -> Written:
    """What it says in one case."""
    return override.written(name=sample.name, links=sample.links, **sample.values)


def _judge_subject(subject: str) -> None:
    if not subject:
        told = "the subject is empty: write it in the first line, and leave the next one empty"
        raise TemplateFaultError(1, told)
    if len(subject.splitlines()) > 1:
        told = "the subject has more than one line: leave an empty line after the first"
        raise TemplateFaultError(2, told)
    if len(subject) > SUBJECT_LENGTH_MAX:
        told = f"the subject is longer than {SUBJECT_LENGTH_MAX} characters: write less"
        raise TemplateFaultError(1, told)
    _judge_characters(subject, 1)


def _judge_characters(said: str, line: int | None) -> None:
    """A text with escapes in it could make a mail hold what no text may."""
    found = Lines.refused.search(said)
    if found is not None:
        told = f"it writes U+{ord(found[0]):04X}, which no mail may hold: take it out"
        raise TemplateFaultError(line, told)


def _line_of(error: BaseException) -> int | None:
    """In which line of the template it happened: Jinja puts the places of templates there."""
    line, place = None, error.__traceback__
    while place is not None:
        if place.tb_frame.f_code.co_filename == _FILE:
            line = place.tb_lineno
        place = place.tb_next
    return line


def _cure_of(error: BaseException) -> str:
    """What is wrong; never the text of an error that may quote a value."""
    match error:
        case _TooMuchError():
            return str(error)
        case SecurityError():
            return "this reaches for what is out of bounds for templates: take it out"
        case UndefinedError():
            return "this names something that is not there: ask with `if` first, or take it out"
        case _:
            return "this can't be worked out: mind what is a text, a number and a list"
