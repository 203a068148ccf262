"""What a mail says: what stands in the stead of its shipped template, as long as that can be filled
in, or the shipped one.
"""

from __future__ import annotations

from typing import Any, cast

import structlog

from infra.channels.overriding import TemplateFaultError, override_of
from infra.channels.texts import Written, write
from infra.metrics import MAIL_TEMPLATES_FAILED
from processors.reacting.effects import Tools
from projections.reads import Reads
from projections.templates import template_overrides
from schemas.log.messages import Language
from schemas.templates import TemplateName, template_id

log = structlog.get_logger()


async def worded(tools: Tools, mail: str, language: Language, **values: Any) -> Written:
    """A mail's words, `values` being what `write` takes. A mail goes out whatever somebody has made
    of its template.
    """
    reads = cast("Reads", tools.postgres)
    text = await template_overrides.text_of(reads, template_id(mail, language))
    if text is None:
        return write(mail, language, **values)
    try:
        return override_of(TemplateName(mail), language, text).written(**values)
    except TemplateFaultError as error:
        MAIL_TEMPLATES_FAILED.labels(mail, language.value).inc()
        # The detail holds words of the template and none of whomever it is sent to.
        log.warning("mail_template_failed", mail=mail, language=language, detail=error.detail)
        return write(mail, language, **values)
