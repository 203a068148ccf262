"""What admins may write in the stead of a shipped template, and what is refused and how."""

from __future__ import annotations

from typing import Any

import pytest

from infra.channels.overriding import (
    ROUNDS_MAX,
    SAID_LENGTH_MAX,
    SUBJECT_LENGTH_MAX,
    TemplateFaultError,
    filled,
    override_of,
    previews,
)
from infra.channels.samples import LINKS, REQUIRED, SAMPLES, variables
from infra.channels.texts import TEMPLATES, shipped, write
from schemas.log.messages import Language
from schemas.templates import TEXT_LENGTH_MAX, TemplateName

EVERY = [(name, language) for name in TemplateName for language in Language]
STOP = "\n\n{{ unsubscribe }}"
LONG_LIST = f"[{'1,' * 50}]"


def said(body: str, name: TemplateName = TemplateName.MESSAGES, subject: str = "News") -> Any:
    return previews(override_of(name, Language.ENGLISH, f"{subject}\n\n{body}{STOP}"))


def refused(text: str, name: TemplateName = TemplateName.MESSAGES) -> str:
    with pytest.raises(TemplateFaultError) as found:
        previews(override_of(name, Language.ENGLISH, text))
    assert found.value.fault.pointer == "/text"
    return found.value.fault.detail


def refused_body(body: str) -> str:
    return refused(f"News\n\nHello,\n\n{body}{STOP}")


def test_NO_13_there_is_a_file_for_each_name_and_language_and_none_besides() -> None:
    wanted = {f"{name}.{language}.txt" for name, language in EVERY} | {"mail.html"}
    assert {each.name for each in TEMPLATES.iterdir()} == wanted


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_NO_13_every_shipped_template_is_one_that_an_admin_could_have_written(
    name: TemplateName, language: Language
) -> None:
    """And says the same, whoever wrote it."""
    override = override_of(name, language, shipped(name, language))
    for sample in SAMPLES[name]:
        ours = write(name, language, name=sample.name, links=sample.links, **sample.values)
        theirs = filled(override, sample)
        assert theirs.subject == ours.subject
        assert theirs.text.strip() == ours.text.strip()
        assert theirs.html == ours.html


@pytest.mark.parametrize("name", TemplateName)
def test_NO_13_samples_are_nobodys(name: TemplateName) -> None:
    """Names and places that are made up, so that no preview can show somebody."""
    for sample in SAMPLES[name]:
        assert sample.name in ("Example Person", "")
        assert {
            each for each in sample.links if not each.startswith("https://market.example/")
        } == set()
        people = {each.get("name", "") for each in sample.values.get("found", ())}
        assert people <= {"Another Example", ""}


@pytest.mark.parametrize(
    "hostile",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ lipsum.__globals__ }}",
        "{{ name['__class__'] }}",
        "{{ found[0]['__class__'] }}",
        "{{ name['__cl' ~ 'ass__'] }}",
        "{% set word = {'a': '__class__'} %}{{ name[word['a']] }}",
        "{% if false %}{{ name.__class__ }}{% endif %}",
        "{{ self._TemplateReference__context }}",
        "{{ name | attr('__class__') }}",
        "{{ found | map(attribute='__class__') | first }}",
    ],
)
def test_NO_13_a_forbidden_attribute_access_is_refused(hostile: str) -> None:
    detail = refused_body(hostile)
    assert detail.startswith("line 5: ")
    assert "out of bounds for templates" in detail or "can't be used here" in detail


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("{{ '{0.__class__}'.format(name) }}", "a call"),
        ("{{ '%1000000000d' | format(1) }}", "`format` can't be used"),
        ("{{ 'a' * 1000000000 }}", "`*` can't be used"),
        ("{{ 10 ** 10 ** 10 }}", "`**` can't be used"),
        ("{{ 'x' | center(1000000000) }}", "`center` can't be used"),
        ("{{ name | replace('', name) }}", "`replace` can't be used"),
        ("{{ [1] | join('-') | join('--') }}", "`join` takes a list"),
        ("{% include 'mail.html' %}", "`include` can't be used"),
        ("{% import 'mail.html' as page %}", "`import` can't be used"),
        ("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", "`macro` can't be used"),
        ("{% for each in found recursive %}{% endfor %}", "a loop is written"),
        ("{% for each in 'xyz' %}{% endfor %}", "over lists only"),
        ("{% for each in range(9) %}{% endfor %}", "a call"),
        ("{% set a = [1] %}{% set b = [a, a] %}", "`set` takes"),
        ("{{ found }}", "writes a list or a thing"),
        ("{{ found[0].title.upper }}", "field `upper`"),
    ],
)
def test_NO_13_what_makes_much_of_little_is_refused(body: str, told: str) -> None:
    detail = refused_body(body)
    assert detail.startswith("line 5: ")
    assert told in detail


def test_NO_13_rounds_of_loops_are_counted_however_they_are_nested() -> None:
    one = f"{{% for a in {LONG_LIST} %}}.{{% endfor %}}"
    said(one * (ROUNDS_MAX // 50))
    assert "loops go round" in refused_body(one * (ROUNDS_MAX // 50 + 1))
    nested = f"{{% for a in {LONG_LIST} %}}{{% for b in {LONG_LIST} %}}{{% endfor %}}{{% endfor %}}"
    assert "loops go round" in refused_body(nested)
    deep = "{% for a in found %}" * 4 + "{% endfor %}" * 4
    assert "3 deep at most" in refused_body(deep)


def test_NO_13_what_is_fine_for_one_and_too_long_for_twenty_is_refused() -> None:
    """The samples go as far as real mails do: else it would be found out only when one is sent."""
    all_pairs = "{% for a in found %}{% for b in found %}.{% endfor %}{% endfor %}"
    assert "loops go round" in refused_body(all_pairs)


def test_NO_13_what_is_said_is_measured() -> None:
    loop = f"{{% for a in {LONG_LIST} %}}{'x' * 900}{{% endfor %}}"
    assert len(said(loop)["several"].text) > 45_000
    assert f"more than {SAID_LENGTH_MAX}" in refused_body(loop.replace("x", "xx"))
    assert f"more than {SAID_LENGTH_MAX}" in refused_body(
        "{{ [1, 1, 1, 1, 1, 1, 1] | join('" + "x" * 9_000 + "') }}"
    )


@pytest.mark.parametrize(
    "body",
    [
        f"{{{{ {'(' * 900}1{')' * 900} }}}}",
        f"{{{{ 1{'+1' * 4_000} }}}}",
        f"{{{{ name{' | upper' * 1_000} }}}}",
        f"{{{{ {'not ' * 2_000}1 }}}}",
        "{% if 1 %}" * 300 + "{% endif %}" * 300,
        f"{{{{ {'9' * 9_000} }}}}",
    ],
)
def test_NO_13_what_no_reader_of_programs_can_hold_is_refused(body: str) -> None:
    assert len(body) < TEXT_LENGTH_MAX
    assert "make it simpler" in refused_body(body)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("News\n\n{{ nobody }}", "line 3: there is no variable `nobody` in this mail: use one of"),
        ("News\n\n{{ name", "line 3: "),
        ("News\n\n{% if name %}", "line 3: "),
        ("{% if false %}News{% endif %}\n\nText", "line 1: the subject is empty"),
        ("News\nand more\n\nText", "line 2: the subject has more than one line"),
        ("{{ 'News\\rBcc: a@b.example' }}\n\nText", "line 2: the subject has more than one line"),
        (f"{'N' * (SUBJECT_LENGTH_MAX + 1)}\n\nText", "line 1: the subject is longer than"),
        ("{{ 'Ne\\0ws' }}\n\nText", "line 1: it writes U+0000"),
        ("News\n\n{{ 'Te\\0xt' }}", "it writes U+0000"),
        ("News", "there is nothing below the subject"),
        ("News\n\n{% for name in [1] %}{% endfor %}", "line 3: `name` has a meaning"),
        ("News\n\n{{ name + 1 }}", "line 3: this can't be worked out"),
    ],
)
def test_NO_13_what_is_wrong_is_told_with_its_line_and_a_cure(text: str, told: str) -> None:
    assert refused(text, TemplateName.WELCOME).startswith(told)


@pytest.mark.parametrize("name", [each for each in TemplateName if REQUIRED[each]])
def test_NO_13_a_mail_without_its_link_is_refused(name: TemplateName) -> None:
    (needed,) = REQUIRED[name]
    for body in (
        "Hello.",
        f"Here: {{{{ {needed} }}}}",
        f"{{% if false %}}\n\n{{{{ {needed} }}}}\n\n{{% endif %}}",
    ):
        assert f"{{{{ {needed} }}}} is missing" in refused(f"News\n\n{body}", name)
    whole = previews(override_of(name, Language.ENGLISH, f"News\n\nHi.\n\n{{{{ {needed} }}}}"))
    shown = {about for about, each in whole.items() if f'href="{LINKS[needed]}"' in each.html}
    assert shown == {each.about for each in SAMPLES[name]}


def test_NO_13_links_that_open_an_account_or_stop_mails_are_asked_for() -> None:
    assert {each for each in TemplateName if REQUIRED[each] == ("link",)} == {
        TemplateName.VERIFY_EMAIL,
        TemplateName.RESET_PASSWORD,
    }
    stoppable = {each for each in TemplateName if "unsubscribe" in variables(each)}
    assert {each for each in TemplateName if REQUIRED[each] == ("unsubscribe",)} == stoppable


def test_NO_13_what_is_written_is_escaped_in_html() -> None:
    page = said("<b>{{ '<i>' }}</b>")["several"].html
    assert "&lt;b&gt;&lt;i&gt;&lt;/b&gt;" in page


def test_NO_13_a_text_keeps_nothing_for_the_next_mail() -> None:
    """The rounds of one are none of the next one's."""
    override = override_of(
        TemplateName.WELCOME,
        Language.ENGLISH,
        f"News\n\n{{% for a in {LONG_LIST} %}}.{{% endfor %}}",
    )
    for _ in range(ROUNDS_MAX // 50 + 2):
        assert override.written(name="Nimal").text == "." * 50 + "\n"
