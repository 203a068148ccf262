"""Templates of mails. Admins read them, look at a text with what is made up in it, have it sent to
themselves, say it in the stead of what is shipped, and take that back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Request
from starlette.responses import Response

from api.backends.machines import Machines, Mesh
from api.entry.auth import SignedIn
from api.entry.commands import Sending
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import ADMINS, CHANGES, SEARCHES, UNLIMITED, Door
from api.entry.routing import new_router
from api.templates.bodies import (
    CHANGED,
    SAID,
    TEMPLATE,
    TEXT,
    TemplateChangedAnswer,
    TemplateDraft,
    TemplateOverrideBody,
    TemplatePreviewAnswer,
    TemplatesAnswer,
    WholeTemplateAnswer,
)
from api.wire.changes import answer
from api.wire.etags import versioned
from api.wire.problems import Problem, problem_responses
from api.wire.successes import ok, private_json
from infra.channels.overriding import TemplateFaultError, override_of, previews
from infra.channels.samples import REQUIRED, variables
from infra.channels.texts import Written, shipped
from projections.templates import template_overrides
from schemas.log.messages import Language
from schemas.templates import (
    OverrideTemplate,
    RestoreTemplate,
    TemplateName,
    TestTemplate,
    template_id,
)

ALL = "/api/templates"
ONE = f"{ALL}/{{template_id}}"
OVERRIDES = CaughtUp(template_overrides.template_overrides)


@dataclass(frozen=True)
class Named:
    """One template by what its address says."""

    name: TemplateName
    language: Language

    @property
    def id(self) -> str:
        """`welcome.en`."""
        return template_id(self.name, self.language)

    @property
    def shipped(self) -> str:
        """What is shipped."""
        return shipped(self.name, self.language)


TEMPLATES = {
    each.id: each for each in (Named(name, spoken) for name in TemplateName for spoken in Language)
}


Id = Annotated[
    str, Path(description="The mail and its language", examples=["welcome.en"], max_length=60)
]

router = new_router("templates")


@router.get(
    ALL,
    operation_id="list_templates",
    response_model=TemplatesAnswer,
    responses={**ok("All templates", {"items": [TEMPLATE]}), **problem_responses(400, 401, 403)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ADMINS, SEARCHES)
async def list_templates(request: Request, mesh: Mesh, _caller: SignedIn) -> Response:
    """Every mail in every language, whether it is said otherwise than it is shipped, and which
    variables its text may name.
    """
    await OVERRIDES.wait(request)
    ids = list(TEMPLATES)
    since = await template_overrides.overridden(mesh.postgres, ids)
    return private_json(
        {"items": [_shown(each, since.get(name)) for name, each in TEMPLATES.items()]}
    )


@router.get(
    ONE,
    operation_id="read_template",
    response_model=WholeTemplateAnswer,
    responses={
        **ok(
            "The template",
            {**TEMPLATE, "text": TEXT, "shipped_text": "Welcome…", "version": 3},
            headers=["ETag"],
        ),
        **problem_responses(400, 401, 403, 404),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ADMINS, UNLIMITED)
async def read_template(
    request: Request, template_id: Id, mesh: Mesh, _caller: SignedIn
) -> Response:
    """What one says now and what is shipped."""
    template = _named(template_id)
    await OVERRIDES.wait(request)
    row = await template_overrides.by_id(mesh.postgres, template.id)
    text, version = (row["text"], row["version"]) if row else (None, 0)
    body = {
        **_shown(template, row["changed_at"] if row and text is not None else None),
        "text": template.shipped if text is None else text,
        "shipped_text": template.shipped,
        "version": version,
    }
    return versioned(body, version)


@router.put(
    ONE,
    operation_id="override_template",
    response_model=TemplateChangedAnswer,
    responses={**ok("Mails say it", CHANGED), **problem_responses(400, 401, 403, 404, 412, 415)},
)
@Door(ADMINS, CHANGES)
async def override_template(
    body: TemplateOverrideBody, template_id: Id, sending: Sending, _caller: SignedIn
) -> Response:
    """Say this from now on. It is filled in first with what is made up: a text that fails is
    refused, with its line and what to do. What mails say already stays as it is.
    """
    template = _named(template_id)
    await _judged(template, body.text)
    command = OverrideTemplate(
        name=template.name, language=template.language, text=body.text, **sending.asked
    )
    reply = await sending.send(command, if_match=True)
    return answer(reply, 200, {"id": template.id, "version": reply.version})


@router.delete(
    ONE,
    operation_id="restore_template",
    status_code=204,
    response_class=Response,
    responses={
        204: {"description": "Mails say what is shipped"},
        **problem_responses(400, 401, 403, 404),
    },
)
@Door(ADMINS, CHANGES)
async def restore_template(template_id: Id, sending: Sending, _caller: SignedIn) -> Response:
    """Say what is shipped again; where that is said, nothing happens."""
    template = _named(template_id)
    command = RestoreTemplate(name=template.name, language=template.language, **sending.asked)
    return answer(await sending.send(command), 204)


@router.post(
    f"{ONE}/preview",
    operation_id="preview_template",
    response_model=TemplatePreviewAnswer,
    responses={
        **ok("What mails would say", {"items": [SAID]}),
        **problem_responses(400, 401, 403, 404, 415),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ADMINS, SEARCHES)
async def preview_template(
    body: TemplateDraft,
    request: Request,
    template_id: Id,
    mesh: Mesh,
    _caller: SignedIn,
) -> Response:
    """What a mail would say with this text, or with the one that is said now. Its people and
    things are made up, and nothing is sent.
    """
    template = _named(template_id)
    text = body.text
    if text is None:
        await OVERRIDES.wait(request)
        text = await _in_force(mesh, template)
    said = await _judged(template, text)
    items = [
        {"about": about, "subject": each.subject, "text": each.text, "html": each.html}
        for about, each in said.items()
    ]
    return private_json({"items": items})


@router.post(
    f"{ONE}/test",
    operation_id="test_template",
    status_code=202,
    response_model=TemplateChangedAnswer,
    responses={
        **ok("It will be in the caller's mailbox", CHANGED, 202),
        **problem_responses(400, 401, 403, 404, 415),
    },
)
@Door(ADMINS, CHANGES)
async def test_template(
    body: TemplateDraft, template_id: Id, sending: Sending, caller: SignedIn
) -> Response:
    """Mail this text, or the one that is said now, to the caller's own address, with made-up people
    and things in it. Nobody else is sent anything.
    """
    template = _named(template_id)
    if body.text is not None:
        await _judged(template, body.text)
    command = TestTemplate(
        name=template.name,
        language=template.language,
        user_id=UUID(caller.user_id),
        text=body.text,
        **sending.asked,
    )
    reply = await sending.send(command)
    return answer(reply, 202, {"id": template.id, "version": reply.version})


def _named(template_id: str) -> Named:
    if template_id not in TEMPLATES:
        raise Problem(404, "not_found", "There is no such template: /api/templates lists them")
    return TEMPLATES[template_id]


async def _in_force(mesh: Machines, template: Named) -> str:
    text = await template_overrides.text_of(mesh.postgres, template.id)
    return template.shipped if text is None else text


async def _judged(template: Named, text: str) -> Mapping[str, Written]:
    """What it says in each case; raises a 422 problem that names the line and the cure."""
    try:
        # In a thread of its own: the longest that may be takes some tenths of a second.
        return await asyncio.to_thread(
            lambda: previews(override_of(template.name, template.language, text))
        )
    except TemplateFaultError as error:
        raise Problem(
            422,
            "template_invalid",
            "This can't be a mail: see errors",
            faults=[error.fault],
        ) from None


def _shown(template: Named, since: datetime | None) -> dict[str, Any]:
    return {
        "id": template.id,
        "name": template.name,
        "language": template.language,
        "is_overridden": since is not None,
        "changed_at": since,
        "variables": {each: sorted(fields) for each, fields in variables(template.name).items()},
        "must_have": list(REQUIRED[template.name]),
    }
