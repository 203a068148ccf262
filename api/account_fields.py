"""What people type about themselves, and what is asked of it."""

from __future__ import annotations

from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from infra.common_passwords import is_common
from schemas.texts import LINE

EMAIL_LENGTH_MAX = 254
PASSWORD_LENGTH_MIN, PASSWORD_LENGTH_MAX = 8, 256
TOKEN_LENGTH_MAX = 200


class Body(BaseModel):
    """A request's body; what is unknown in it is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _normal_email(text: str) -> str:
    try:
        found = validate_email(text, check_deliverability=False)
    except EmailNotValidError:
        # Their text may quote the address.
        message = "is no e-mail address: write it like name@example.org"
        raise ValueError(message) from None
    return found.normalized.casefold()


def _uncommon(password: SecretStr) -> SecretStr:
    if is_common(password.get_secret_value()):
        message = "is among the first that anyone would try: take a few words of your own"
        raise ValueError(message)
    return password


Email = Annotated[
    str,
    StringConstraints(max_length=EMAIL_LENGTH_MAX),
    AfterValidator(_normal_email),
    Field(json_schema_extra={"format": "email"}),
]
# Any characters, taken as they are; length is what counts.
NewPassword = Annotated[
    SecretStr,
    Field(min_length=PASSWORD_LENGTH_MIN, max_length=PASSWORD_LENGTH_MAX),
    AfterValidator(_uncommon),
]
Password = Annotated[SecretStr, Field(min_length=1, max_length=PASSWORD_LENGTH_MAX)]
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=LINE),
]
MailedToken = Annotated[SecretStr, Field(min_length=1, max_length=TOKEN_LENGTH_MAX)]
