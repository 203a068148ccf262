"""What mails say: one template a mail and language, its first line the subject. The HTML is made
of the same paragraphs, so that the two never say different things.

Templates are sandboxed, and in HTML everything is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from schemas.log.messages import Language

TEMPLATES = Path(__file__).parent / "templates"
NAME_LENGTH_MAX = 60
# What mail programs make a link of. Whoever signs up with somebody else's address must not get
# their own advertisement delivered by us: such a "name" is left out.
_LINK_LIKE = re.compile(r"[:/@\\]|\w{2,}\.\w{2,}|www\.", re.IGNORECASE)

_environment = ImmutableSandboxedEnvironment(
    loader=FileSystemLoader(TEMPLATES),
    undefined=StrictUndefined,
    autoescape=lambda name: bool(name) and str(name).endswith(".html"),
    auto_reload=False,
    keep_trailing_newline=True,
)


@dataclass(frozen=True)
class Written:
    """One mail's words."""

    subject: str
    text: str
    html: str


def write(
    mail: str,
    language: Language,
    *,
    name: str,
    link: str = "",
    until: str = "",
    links: Collection[str] = (),
    **values: Any,
) -> Written:
    """A mail in somebody's language. A paragraph that is `link`, or one of `links`, is a link in
    HTML, too.
    """
    template = _environment.get_template(f"{mail}.{language}.txt")
    said = template.render(name=greeted(name), link=link, until=until, **values)
    subject, _, text = said.partition("\n\n")
    return Written(subject, text, page_of(language, subject, text, {link, *links}))


def shipped(mail: str, language: Language) -> str:
    """The text of a shipped template."""
    return (TEMPLATES / f"{mail}.{language}.txt").read_text("utf-8")


def paragraphs_of(text: str) -> Sequence[str]:
    """What stands between empty lines; where nothing does, as for a thing without a title, is none."""
    return re.split(r"\n{2,}", text.strip())


def page_of(language: Language, subject: str, text: str, links: Collection[str]) -> str:
    """The HTML of a mail: all of it is escaped, and a paragraph that is one of `links` is one."""
    return _environment.get_template("mail.html").render(
        language=language.value,
        subject=subject,
        paragraphs=paragraphs_of(text),
        links=frozenset(links),
    )


def told(text: str, length_max: int) -> str:
    """Somebody's text as a mail may show it: one line, cut, and nothing when a mail program would
    make a link of it.
    """
    plain = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return "" if _LINK_LIKE.search(plain) else plain[:length_max].strip()


def greeted(name: str) -> str:
    """A name as a greeting may show it: one line, and nothing when it is no name."""
    plain = " ".join("".join(each if each.isprintable() else " " for each in name).split())
    return "" if len(plain) > NAME_LENGTH_MAX or _LINK_LIKE.search(plain) else plain
