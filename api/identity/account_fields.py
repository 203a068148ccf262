"""What people type about themselves, and what is asked of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from infra.credentials.common_passwords import is_common
from infra.credentials.passwords import prepared
from schemas.values.emails import address_of
from schemas.values.texts import TOKEN, Line, refusal, without_controls

EMAIL_LENGTH_MAX = 254
PASSWORD_LENGTH_MIN, PASSWORD_LENGTH_MAX = 8, 256
TOKEN_LENGTH_MAX = 200


def _email(text: str) -> str:
    try:
        return address_of(text)
    except ValueError as error:
        raise refusal(str(error)) from None


def _typed(password: SecretStr) -> SecretStr:
    without_controls(password.get_secret_value())
    return password


def _uncommon(password: SecretStr) -> SecretStr:
    if is_common(prepared(password.get_secret_value())):
        told = "is among the first that anyone would try: take a few words of your own"
        raise refusal(told)
    return password


def _mailed(token: SecretStr) -> SecretStr:
    TOKEN.judged(token.get_secret_value())
    return token


Email = Annotated[
    str,
    StringConstraints(max_length=EMAIL_LENGTH_MAX),
    AfterValidator(_email),
    Field(json_schema_extra={"format": "email"}),
]
# Any characters that can be typed; length is what counts. How they are composed is no part of it.
NewPassword = Annotated[
    SecretStr,
    Field(min_length=PASSWORD_LENGTH_MIN, max_length=PASSWORD_LENGTH_MAX),
    AfterValidator(_typed),
    AfterValidator(_uncommon),
]
Password = Annotated[
    SecretStr, Field(min_length=1, max_length=PASSWORD_LENGTH_MAX), AfterValidator(_typed)
]
Name = Annotated[str, Line(100)]
MailedToken = Annotated[
    SecretStr, Field(min_length=1, max_length=TOKEN_LENGTH_MAX), AfterValidator(_mailed)
]
RefreshText = Annotated[str, Field(min_length=1, max_length=TOKEN_LENGTH_MAX), TOKEN]
