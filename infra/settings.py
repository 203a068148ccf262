"""What a process must be told to run: one model, read once, checked at start.

Order of precedence: environment, then the settings file that the local stack wrote into
the state folder (`MESH_STATE`, default `.mesh`). Names are the environment's own.
"""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from infra import production

PARTITIONS_MAX = 1_000
_P256_BYTES = 32
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
# How a limit is written: `10 per 15 minutes`, or `off`.
LIMIT_FORM = r"^(off|[1-9]\d{0,5} per ([1-9]\d{0,3} )?(second|minute|hour|day)s?)$"
# How mail domains are listed: `cs.uni.edu,*.ac.lk`.
_DOMAIN = r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*"
DOMAINS_FORM = rf"^({_DOMAIN}(, ?{_DOMAIN})*)?$"
# How hosts are listed: `127.0.0.1:8080,pictures.test:80`.
_HOST = r"[a-z0-9.:-]+:\d{1,5}"
HOSTS_FORM = rf"^({_HOST}(, ?{_HOST})*)?$"
# A provider's API: what we send there holds secrets, so it is plain on this machine only.
_ORIGIN = r"^(https://[a-z0-9.-]+(:\d{1,5})?|http://127\.0\.0\.1:\d{1,5})$"


class SettingsError(Exception):
    """Settings are missing or wrong; the text lists every one with its fix."""


def state_folder() -> Path:
    """The folder that holds everything the local stack writes: data, logs, pids, settings."""
    return Path(os.environ.get("MESH_STATE") or ".mesh").resolve()


def settings_file() -> Path:
    """The file through which `mesh up` tells later processes where the servers are."""
    return state_folder() / "settings.json"


class _StateFile(PydanticBaseSettingsSource):
    """Reads the local stack's settings file; a missing file is an empty source."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        del field
        return self._values().get(field_name.upper()), field_name, False

    def __call__(self) -> dict[str, Any]:
        return {name.lower(): value for name, value in self._values().items()}

    @staticmethod
    def _values() -> dict[str, Any]:
        try:
            values: dict[str, Any] = json.loads(settings_file().read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except ValueError as error:
            message = f"{settings_file()} is no JSON ({error}): take it away and run `mesh up`"
            raise SettingsError(message) from None
        return values


def vapid_number(key: SecretStr) -> int:
    """The private number that VAPID_KEY holds; raises ValueError without showing it."""
    text = key.get_secret_value()
    try:
        found = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        found = b""
    number = int.from_bytes(found)
    if len(found) != _P256_BYTES or not 0 < number < _P256_ORDER:
        message = "is no P-256 private key: 32 bytes in base64url"
        raise ValueError(message)
    return number


def _text(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _limit(default: str, what: str) -> Any:
    return Field(
        default=default,
        pattern=LIMIT_FORM,
        description=f"{what}, like `{default}`, or `off`",
    )


class Settings(BaseSettings):
    """Every setting of every process. Secrets have no default."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    # Where the servers are.
    kafka_bootstrap: str = Field(description="host:port[,host:port] of the brokers")
    database_url: SecretStr = Field(description="postgresql://user:password@host:port/db")
    opensearch_url: str = Field(description="http(s)://host:port of OpenSearch")
    clickhouse_url: SecretStr = Field(description="clickhouse://user:password@host:port/db, native")
    redis_url: SecretStr = Field(description="redis://host:port/db of a Redis protocol server")

    # Where objects lie: see infra.clients.objects.
    objects_url: str = Field(
        default="",
        pattern=r"^$|^file:///.|^s3://.|^memory:///$",
        description="file:///folder, s3://bucket/folder; empty: a folder in the state folder",
    )
    pictures_url: str = Field(
        default="/api",
        pattern=r"^(/api|https?://[^\s?#]*[^\s?#/])$",
        description="what addresses of pictures begin with: a CDN's, which fetches what follows from"
        " PUBLIC_URL/api; no stored data holds it",
    )
    objects_endpoint: str = Field(default="", description="of an S3 that is not Amazon's")
    objects_region: str = ""
    objects_access_key: str = ""
    objects_secret_key: SecretStr = SecretStr("")

    # Secrets: base64 text of 32 random bytes each.
    master_key: SecretStr = Field(description="wraps the vault's keys; base64, 32 bytes")
    other_master_keys: SecretStr = Field(
        default=SecretStr(""),
        description="master keys that rows may be wrapped by besides; comma separated",
    )
    lookup_key: SecretStr = Field(description="HMAC key of look-ups and cursors; base64, 32 bytes")

    # The API.
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    public_url: str = "http://127.0.0.1:8000"
    frontend_url: str = ""
    jwt_issuer: str = "marketmesh"
    jwt_audience: str = "marketmesh-api"
    access_token_s: int = Field(default=15 * 60, gt=0)
    refresh_token_s: int = Field(default=7 * 24 * 3600, gt=0, description="a session's whole life")
    session_idle_s: int = Field(default=3 * 24 * 3600, gt=0, description="its life without use")
    refresh_leeway_s: int = Field(
        default=20, ge=0, le=60, description="how long the token before gets the same next one"
    )
    verify_email_s: int = Field(default=24 * 3600, gt=0, description="a verification mail's life")
    reset_password_s: int = Field(default=3600, gt=0, description="a reset mail's life")
    password_scheme: Literal["argon2", "bcrypt"] = "argon2"  # noqa: S105 - a scheme's name
    # RFC 9106, section 4: the second choice.
    argon2_memory_kib: int = Field(default=65_536, ge=64, description="of one password hash")
    argon2_passes: int = Field(default=3, ge=1, description="over that memory")

    # Mail. Without a host nothing is sent: what should have been waits until there is one.
    mail_via: Literal["smtp", "sendgrid", "ses"] = Field(
        default="smtp", description="who takes our mails: a server of yours, or a provider's API"
    )
    smtp_host: str = Field(default="", description="the server that takes our mails")
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="tls: from the first byte, usually port 465"
    )
    smtp_user: str = Field(default="", description="empty: no log-in")
    smtp_password: SecretStr = SecretStr("")
    mail_from: str = Field(
        default="Marketmesh <no-reply@localhost>",
        pattern=r"^[^\x00-\x1f\x7f<>@]*<[^\s<>@]+@[^\s<>@]+>$|^[^\s<>@]+@[^\s<>@]+$",
        description="whom mails come from: Name <address>",
    )
    sendgrid_key: SecretStr = Field(default=SecretStr(""), description="may send mail, no more")
    sendgrid_url: str = Field(default="https://api.sendgrid.com", pattern=_ORIGIN)
    ses_region: str = Field(default="", pattern=r"^[a-z0-9-]*$", description="like eu-west-1")
    ses_access_key: str = Field(default="", description="of one who may ses:SendRawEmail, no more")
    ses_secret_key: SecretStr = SecretStr("")
    ses_url: str = Field(
        default="", pattern=f"^$|{_ORIGIN}", description="empty: Amazon's of the region"
    )

    # SMS. The sink keeps what should be sent on this machine: `mesh outbox` shows it.
    sms_via: Literal["none", "twilio", "sink"] = Field(
        default="none", description="who takes our SMS; none: nobody gets any"
    )
    twilio_account: str = Field(
        default="", pattern="^(AC[0-9a-f]{32})?$", description="Account SID: AC and 32 hex digits"
    )
    twilio_token: SecretStr = Field(default=SecretStr(""), description="the account's Auth Token")
    twilio_from: str = Field(
        default="",
        pattern=r"^(MG[0-9a-f]{32}|\+[1-9][0-9]{2,14}|[A-Za-z0-9 ]{1,11})?$",
        description="a number of yours, a Messaging Service's SID (MG…), or a name where allowed",
    )
    twilio_url: str = Field(default="https://api.twilio.com", pattern=_ORIGIN)

    # Push. `services`: browsers where VAPID_KEY is set, apps where FCM_ACCOUNT is.
    push_via: Literal["services", "sink"] = Field(
        default="services", description="sink: kept on this machine, `mesh outbox` shows it"
    )
    vapid_key: SecretStr = Field(
        default=SecretStr(""),
        description="P-256 private key, 32 bytes in base64url: whoever has it can push in our name",
    )
    push_hosts: str = Field(
        default="fcm.googleapis.com,*.push.services.mozilla.com,*.notify.windows.com,"
        "*.push.apple.com",
        pattern=DOMAINS_FORM,
        description="push services that browsers may name, comma separated",
    )
    fcm_account: SecretStr = Field(
        default=SecretStr(""), description="JSON: a service account's key file, as Google gives it"
    )
    fcm_url: str = Field(default="https://fcm.googleapis.com", pattern=_ORIGIN)

    # Logging in elsewhere.
    oidc_providers: SecretStr = Field(
        default=SecretStr("{}"),
        description='JSON: {"name": {"issuer": "https://…", "client_id": "…", "client_secret": "…"}}',
    )

    # The campus market.
    campus_domains: str = Field(
        default="",
        pattern=DOMAINS_FORM,
        description="whose e-mail is a campus: cs.uni.edu[,*.ac.lk], * for all below; empty: none",
    )

    # How often who may do what; an operation's door (api/entry/doors.py) says which it spends.
    limit_auth: str = _limit("10 per 15 minutes", "log-ins of one account from one address")
    limit_joining: str = _limit("10 per 15 minutes", "registrations from one address")
    limit_address: str = _limit("300 per 15 minutes", "all of /api/auth from one address")
    limit_items: str = _limit("30 per minute", "requests to /api/items of one person")
    limit_chat: str = _limit("100 per minute", "messages of one person")
    limit_images: str = _limit("20 per 5 minutes", "pictures that one person uploads")
    limit_search: str = _limit("300 per minute", "searches of one person or address")
    limit_views: str = _limit("120 per 15 minutes", "looks at listings of one person or address")
    limit_leaving: str = _limit("30 per minute", "log-outs of one person")
    limit_default: str = _limit("300 per minute", "other changes of one person")
    trusted_proxies: str = Field(
        default="",
        description="networks whose X-Forwarded-For is believed: 10.0.0.0/8[,192.0.2.7]",
    )

    # How processes behave.
    mode: Literal["development", "production"] = "development"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    request_timeout_s: float = Field(
        default=30.0, gt=0, description="how long a request may take to arrive"
    )
    write_timeout_s: float = Field(default=2.0, gt=0, description="a write's bound before 503")
    read_wait_s: float = Field(default=2.0, gt=0, description="a token read's bound before 503")
    search_kept_s: float = Field(
        default=2.0, ge=0, le=120, description="how old a search's answer may be; 0: none is kept"
    )
    item_images_wait_s: float = Field(
        default=60.0, gt=0, description="how long a new item waits for its images to be drawn"
    )
    listing_days: int = Field(
        default=90, ge=2, le=3_650, description="how long a published listing is on offer"
    )
    booking_days: int = Field(
        default=7, ge=1, le=365, description="how long a booking waits for the seller's answer"
    )
    listing_images_min: int = Field(
        default=0, ge=0, le=15, description="images without which a listing is not published"
    )
    storage_per_person_mb: int = Field(
        default=5_120,
        ge=1,
        description="MiB of pictures and videos, as sent, that one person may have",
    )
    fetch_allowed: str = Field(
        default="",
        pattern=HOSTS_FORM,
        description="hosts of our own network that pictures may be fetched from: host:port[,host:port]",
    )
    metrics_port: int = Field(default=0, ge=0, le=65535, description="0: no metrics server")
    session_timeout_ms: int = Field(
        default=10_000,
        ge=1_000,
        description="how soon a dead consumer is replaced, and how long a broker may take to be back"
        " before the consumers must join their groups anew",
    )
    instance: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9._-]{0,200}$",
        description="a name that a process and its restarts share, and no other of its kind: it"
        " takes its partitions back at once when it was killed",
    )
    topic_partitions: int = Field(
        default=8,
        ge=1,
        le=PARTITIONS_MAX,
        description="of each topic, and so the most writers a context can have; fixed once the"
        " log is made",
    )
    topic_replication: int = Field(default=1, ge=1, description="3 in production")
    store_prefix: str = Field(
        default="", pattern="^[a-z0-9_]*$", description="before every OpenSearch index name"
    )

    @model_validator(mode="after")
    def _mail_is_encrypted(self) -> Settings:
        readable = bool(self.smtp_host) and self.smtp_security == "none"
        if readable and (self.mode == "production" or self.smtp_user):
            message = "SMTP_SECURITY must be starttls or tls: mails hold links that are secrets"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _channels_have_what_they_need(self) -> Settings:
        lacking = [name.upper() for name in self._channel_needs() if not _text(getattr(self, name))]
        if lacking:
            message = f"MAIL_VIA, SMS_VIA: what was chosen needs {', '.join(lacking)} besides"
            raise ValueError(message)
        return self

    def _channel_needs(self) -> Iterator[str]:
        if self.mail_via == "sendgrid":
            yield "sendgrid_key"
        if self.mail_via == "ses":
            yield from ("ses_region", "ses_access_key", "ses_secret_key")
        if self.sms_via == "twilio":
            yield from ("twilio_account", "twilio_token", "twilio_from")

    @field_validator("vapid_key")
    @classmethod
    def _is_a_p256_key(cls, key: SecretStr) -> SecretStr:
        if key.get_secret_value():
            vapid_number(key)
        return key

    @property
    def fetch_exempt(self) -> frozenset[str]:
        """The hosts of FETCH_ALLOWED, each with its port."""
        return frozenset(filter(None, self.fetch_allowed.replace(" ", "").split(",")))

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        for network in filter(None, text.split(",")):
            ip_network(network.strip())
        return text

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then the state folder; no dotenv file is read behind one's back."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, _StateFile(settings_cls)


def is_state_folder(folder: Path) -> bool:
    """Whether a mesh has been started from it, or nothing is in it that could be lost."""
    if not folder.is_dir():
        return False
    if any((folder / each).is_file() for each in ("ports.json", "secrets.json")):
        return True
    return all(each.name == "lock" and each.is_file() for each in folder.iterdir())


def absent_mesh() -> str:
    """Why nothing is known of a mesh here and what to do about it, in one line; nothing when
    its settings file is there.
    """
    folder, named = state_folder(), os.environ.get("MESH_STATE")
    if settings_file().exists():
        return ""
    if is_state_folder(folder):
        return f"The mesh in {folder} has not come up yet: `mesh up` goes on, `mesh down` stops it."
    if named:
        return f"MESH_STATE names {folder}, which is no folder of a mesh: mend it, or unset it."
    lacking = f"{folder.name} is none of ours" if folder.exists() else f"no folder {folder.name}"
    return (
        f"There is no mesh in {folder.parent} ({lacking}): go where `make up` was"
        " run, or name its folder in MESH_STATE."
    )


def load_settings(**overrides: Any) -> Settings:
    """Read and check the settings; raises SettingsError naming every fault at once."""
    try:
        found = Settings(**overrides)
    except ValidationError as error:
        if (absent := absent_mesh()) and not (_told_otherwise() or overrides):
            raise SettingsError(absent) from None
        lines = []
        for fault in error.errors():
            name = ".".join(str(part) for part in fault["loc"])
            field = Settings.model_fields.get(name)
            hint = field.description if field and field.description else ""
            lines.append(f"  {name.upper()}: {fault['msg']}" + (f" ({hint})" if hint else ""))
        message = (
            "Settings are missing or wrong:\n"
            + "\n".join(lines)
            + "\nSet them in the environment, or start the local stack with `mesh up`."
        )
        raise SettingsError(message) from None
    if found.mode == "production" and (unfit := list(production.faults(found))):
        lines = [f"  {name}: {fault}" for name, fault in unfit]
        message = "Settings are not fit for MODE=production:\n" + "\n".join(lines)
        raise SettingsError(message)
    return found


def _told_otherwise() -> bool:
    """Whether the environment holds some of what must be told, or is no developer's: then a
    state folder is not what is missing.
    """
    if os.environ.get("MODE") == "production":
        return True
    needed = [name for name, field in Settings.model_fields.items() if field.is_required()]
    return any(name.upper() in os.environ for name in needed)


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read at the first call."""
    return load_settings()
