"""What mails say, in every language, and what no name can make them say."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from jinja2.exceptions import SecurityError

from infra.channels import texts
from infra.channels.texts import TEMPLATES, greeted, told, write
from schemas.log.messages import Language
from schemas.notifications import NotificationType
from schemas.searches import MatchReason

LINK = "https://market.example.org/verify-email#token=abc_-"
UNTIL = "2026-03-01 12:00"
MAILS = ("welcome", "verify_email", "reset_password", "alert", "digest")
NOTIFICATIONS = tuple(each.value for each in NotificationType)
PLACES = {each: f"https://market.example.org/{each}" for each in ("manage", "unsubscribe")}
TITLE = "Porsche <b>911</b>"
FOUND = {"title": TITLE, "price": "USD 85,000.00", "reason": "new", "searches": ["One", "Two"]}
# What the templates of alerts take besides.
SAID: dict[str, dict[str, Any]] = {
    "alert": {
        "title": TITLE, "price": "USD 85,000.00", "reason": "price_drop", "search": "Mine",
        "links": PLACES.values(), **PLACES,
    },
    "digest": {
        "found": [{**FOUND, "link": LINK}], "total": 1, "more": 0, "links": PLACES.values(),
        **PLACES,
    },
}  # fmt: skip
SCRIPTS = {
    Language.ENGLISH: re.compile("[a-z]"),
    Language.SINHALA: re.compile("[\u0d80-\u0dff]"),
    Language.TAMIL: re.compile("[\u0b80-\u0bff]"),
}


class Elements(HTMLParser):
    """The tags of a page and its links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name == "href"]


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("mail", MAILS)
def test_NO_04_every_mail_speaks_every_language(mail: str, language: Language) -> None:
    more = SAID.get(mail, {})
    written = write(mail, language, name="Nimal Perera", link=LINK, until=UNTIL, **more)
    for text in (written.subject, written.text, written.html):
        assert SCRIPTS[language].search(text)
    assert "Nimal Perera" in written.text
    assert "\n" not in written.subject
    assert f'<html lang="{language}">' in written.html


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("mail", ["verify_email", "reset_password"])
def test_NO_05_the_link_stands_in_the_text_and_is_one_in_the_html(
    mail: str, language: Language
) -> None:
    written = write(mail, language, name="Nimal", link=LINK, until=UNTIL)
    assert written.text.count(LINK) == 1
    assert LINK in written.text.splitlines()
    assert Elements(written.html).links == [LINK]
    assert UNTIL in written.text
    assert UNTIL in written.html


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("mail", SAID)
def test_SE_12_what_is_found_is_named_and_its_links_are_links(
    mail: str, language: Language
) -> None:
    written = write(mail, language, name="Nimal", link=LINK, **SAID[mail])
    assert f"{TITLE} USD 85,000.00" in written.text
    assert "Porsche &lt;b&gt;911&lt;/b&gt;" in written.html
    found = Elements(written.html)
    assert found.links == [LINK, *PLACES.values()]
    assert "b" not in found.tags


@pytest.mark.parametrize("reason", MatchReason)
def test_SE_12_a_mail_says_why(reason: MatchReason) -> None:
    said = {**SAID["alert"], "reason": reason.value}
    subjects = {"new": "New", "price_drop": "A price has dropped", "back_on_market": "Back"}
    assert write("alert", Language.ENGLISH, name="", **said).subject.startswith(subjects[reason])


@pytest.mark.parametrize("text", ["See evil.example", "https://evil", "a@b", "\u202e"])
def test_SE_12_a_title_that_advertises_is_left_out(text: str) -> None:
    assert told(text, 80) == ""


def test_SE_12_a_title_is_one_line_and_cut() -> None:
    assert told("Porsche\n911   Carrera", 11) == "Porsche 911"


def test_there_is_a_template_for_each_and_none_besides() -> None:
    wanted = {
        f"{mail}.{language}.txt" for mail in (*MAILS, *NOTIFICATIONS) for language in Language
    } | {"mail.html"}
    assert {each.name for each in TEMPLATES.iterdir()} == wanted


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "<b>Nimal<b>",
        "{{ 7*7 }}",
        "&lt;script&gt;",
    ],
)
def test_NS_06_markup_in_a_name_is_inert(name: str) -> None:
    page = write("welcome", Language.ENGLISH, name=name).html
    assert set(Elements(page).tags) <= {"html", "head", "meta", "title", "body", "p"}
    assert "49" not in page


def test_NS_06_markup_is_escaped_even_where_a_name_is_shown() -> None:
    page = write("welcome", Language.ENGLISH, name="Nimal <i>&\"'").html
    assert "Nimal &lt;i&gt;&amp;&#34;&#39;" in page


@pytest.mark.parametrize(
    "name",
    [
        "Win at https://evil.example",
        "evil.example",
        "www.evil",
        "eve@evil.example",
        "a/b",
        "x" * 61,
    ],
)
def test_NS_06_a_name_that_advertises_is_left_out(name: str) -> None:
    assert greeted(name) == ""
    assert "Hello," in write("verify_email", Language.ENGLISH, name=name, link=LINK).text


@pytest.mark.parametrize("name", ["නිමල් පෙරේරා", "S.W.R.D. Bandaranaike", "O'Neil-Silva", "Åsa Ö"])
def test_a_name_that_is_one_is_greeted(name: str) -> None:
    assert greeted(name) == name


def test_NS_06_a_name_adds_no_line() -> None:
    assert greeted("Nimal\r\n\r\nYour account is closed") == "Nimal Your account is closed"


def test_templates_reach_nothing_of_ours() -> None:
    hostile = texts._environment.from_string("{{ name.__class__.__mro__ }}")
    with pytest.raises(SecurityError):
        hostile.render(name="x")
