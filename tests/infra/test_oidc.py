"""What counts of what a provider says, against a real one on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import OctKey
from pydantic import SecretStr

from infra import oidc
from infra.oidc import (
    Challenge,
    Identity,
    ProviderRefusedError,
    ProviderUnavailableError,
    is_safe,
    new_challenge,
    open_providers,
)
from infra.settings import SettingsError
from tests.infra.channels.given import settings_with
from tests.provider import Claims, Provider, curve_key, long_ago, other_key, provider_at_work

BACK = "http://127.0.0.1:8000/api/auth/oauth/test/callback"


@pytest.fixture(scope="module")
def at_work() -> Iterator[Provider]:
    with provider_at_work() as found:
        yield found


@pytest.fixture
def provider(at_work: Provider) -> Provider:
    at_work.be_honest()
    return at_work


def known(provider: Provider, **other: Any) -> oidc.Provider:
    """Our side of it."""
    own = {"issuer": provider.issuer, "client_id": "mesh", "client_secret": "s3cret"} | other
    settings = settings_with(oidc_providers=SecretStr(json.dumps({"test": own})))
    return open_providers(settings)["test"]


async def coming_back(
    provider: Provider, ours: oidc.Provider, challenge: Challenge | None = None
) -> tuple[str, Challenge]:
    """Somebody leaves, logs in there, and comes back with a code."""
    challenge = challenge or new_challenge()
    await provider.knows("nimal", email="nimal@example.org", email_verified=True, name="Nimal")
    address = await ours.authorization_url(challenge, BACK)
    back = await provider.let_in(address, "nimal")
    assert back["state"] == challenge.state
    return back["code"], challenge


async def identity(provider: Provider) -> Identity:
    ours = known(provider)
    code, challenge = await coming_back(provider, ours)
    return await ours.identity_of(code, challenge, BACK)


async def test_ID_20_a_code_tells_who_somebody_is(provider: Provider) -> None:
    assert await identity(provider) == Identity(
        issuer=provider.issuer,
        subject="nimal",
        email="nimal@example.org",
        email_verified=True,
        name="Nimal",
    )


async def test_ID_20_the_way_out_carries_state_nonce_and_pkce(provider: Provider) -> None:
    challenge = new_challenge()
    asked = parse_qs(urlsplit(await known(provider).authorization_url(challenge, BACK)).query)
    assert asked["state"] == [challenge.state]
    assert asked["nonce"] == [challenge.nonce]
    assert asked["code_challenge_method"] == ["S256"]
    assert challenge.verifier not in str(asked)
    assert asked["redirect_uri"] == [BACK]


def test_ID_20_no_two_challenges_are_alike() -> None:
    found = [new_challenge() for _ in range(100)]
    assert len({part for each in found for part in (each.state, each.nonce, each.verifier)}) == 300


async def test_ID_20_a_code_without_the_verifier_of_its_challenge_is_refused(
    provider: Provider,
) -> None:
    ours = known(provider)
    code, challenge = await coming_back(provider, ours)
    stolen = replace(challenge, verifier=new_challenge().verifier)
    with pytest.raises(ProviderRefusedError, match="code_refused"):
        await ours.identity_of(code, stolen, BACK)


async def test_ID_20_a_code_works_once(provider: Provider) -> None:
    ours = known(provider)
    code, challenge = await coming_back(provider, ours)
    await ours.identity_of(code, challenge, BACK)
    with pytest.raises(ProviderRefusedError, match="code_refused"):
        await ours.identity_of(code, challenge, BACK)


async def test_ID_20_a_token_with_another_nonce_is_refused(provider: Provider) -> None:
    ours = known(provider)
    code, challenge = await coming_back(provider, ours)
    other = replace(challenge, nonce=new_challenge().nonce)
    with pytest.raises(ProviderRefusedError, match="id_token_invalid"):
        await ours.identity_of(code, other, BACK)


def without(name: str) -> Callable[[Claims], Claims]:
    return lambda claims: {key: value for key, value in claims.items() if key != name}


@pytest.mark.parametrize(
    "forge",
    [
        lambda claims: claims | {"iss": "https://evil.example.org"},
        lambda claims: claims | {"iss": claims["iss"] + "/"},
        lambda claims: claims | {"aud": "somebody-else"},
        lambda claims: claims | {"aud": ["mesh", "somebody-else"]},
        lambda claims: claims | {"aud": ["mesh", "other"], "azp": "other"},
        lambda claims: claims | {"azp": "other"},
        lambda claims: claims | {"exp": long_ago()},
        lambda claims: claims | {"iat": long_ago() + 7_200},
        lambda claims: claims | {"nbf": long_ago() + 7_200},
        lambda claims: claims | {"nonce": ""},
        lambda claims: claims | {"sub": ""},
        lambda claims: claims | {"sub": 7},
        lambda claims: claims | {"sub": "x" * 256},
        *[without(name) for name in ("iss", "aud", "exp", "iat", "nonce", "sub")],
    ],
)
async def test_ID_20_a_token_that_is_not_for_this_log_in_is_refused(
    provider: Provider, forge: Callable[[Claims], Claims]
) -> None:
    provider.forge = forge
    with pytest.raises(ProviderRefusedError, match="id_token_invalid"):
        await identity(provider)


@pytest.mark.parametrize(
    ("key", "header"),
    [
        (other_key, {"alg": "RS256", "kid": "one"}),
        (other_key, {"alg": "RS256", "kid": "unknown"}),
        (curve_key, {"alg": "ES256", "kid": "two"}),
        (lambda: OctKey.import_key("s3cret" * 8), {"alg": "HS256", "kid": "one"}),
        (lambda: OctKey.import_key("s3cret" * 8), {"alg": "HS256"}),
    ],
)
async def test_ID_20_a_token_of_another_signature_is_refused(
    provider: Provider, key: Callable[[], Any], header: dict[str, Any]
) -> None:
    provider.signing_key, provider.header = key(), header
    with pytest.raises(ProviderRefusedError, match="id_token_invalid"):
        await identity(provider)


async def test_ID_20_a_new_key_of_the_provider_is_fetched(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "REFETCH_S", 0.0)
    ours = known(provider)
    code, challenge = await coming_back(provider, ours)
    await ours.identity_of(code, challenge, BACK)
    provider.key = provider.signing_key = other_key()
    code, challenge = await coming_back(provider, ours)
    assert (await ours.identity_of(code, challenge, BACK)).subject == "nimal"


async def test_ID_20_forged_tokens_do_not_make_us_ask_for_keys_each_time(
    provider: Provider,
) -> None:
    ours = known(provider)
    provider.signing_key = other_key()
    for _ in range(3):
        code, challenge = await coming_back(provider, ours)
        with pytest.raises(ProviderRefusedError):
            await ours.identity_of(code, challenge, BACK)
    assert provider.asked.count("/jwks") == 1
    assert provider.asked.count("/.well-known/openid-configuration") == 1


@pytest.mark.parametrize("said", [False, None, "true", 1])
async def test_ID_20_an_email_is_verified_only_when_the_provider_says_true(
    provider: Provider, said: Any
) -> None:
    provider.forge = lambda claims: claims | {"email_verified": said}
    assert not (await identity(provider)).email_verified


@pytest.mark.asvs("V1.3.6", "V13.2.4")
async def test_ID_20_metadata_of_another_issuer_is_not_believed(provider: Provider) -> None:
    provider.metadata = lambda found: found | {"issuer": "https://evil.example.org"}
    with pytest.raises(ProviderUnavailableError):
        await known(provider).authorization_url(new_challenge(), BACK)


@pytest.mark.parametrize(
    "address", ["http://evil.example.org/token", "file:///etc/passwd", "", 7, "//evil"]
)
@pytest.mark.asvs("V1.3.6")
async def test_ID_20_secrets_go_to_no_unsafe_endpoint(provider: Provider, address: Any) -> None:
    ours = known(provider)
    code, challenge = await coming_back(provider, ours)
    ours = known(provider)
    provider.metadata = lambda found: found | {"token_endpoint": address}
    with pytest.raises(ProviderUnavailableError):
        await ours.identity_of(code, challenge, BACK)


async def test_a_provider_that_is_down_says_so(provider: Provider) -> None:
    ours = known(provider)
    code, challenge = await coming_back(provider, ours)
    provider.down = True
    with pytest.raises(ProviderUnavailableError):
        await ours.identity_of(code, challenge, BACK)
    with pytest.raises(ProviderUnavailableError):
        await known(provider).authorization_url(new_challenge(), BACK)


@pytest.mark.asvs("V15.3.2")
async def test_no_redirect_is_followed(provider: Provider) -> None:
    with provider_at_work() as other:
        provider.redirect = f"{other.issuer}/jwks"
        ours = known(provider)
        code, challenge = await coming_back(provider, ours)
        with pytest.raises(ProviderUnavailableError):
            await ours.identity_of(code, challenge, BACK)
        assert other.asked == []


async def test_a_document_without_end_is_given_up(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "DOCUMENT_BYTES_MAX", 100)
    with pytest.raises(ProviderUnavailableError, match="too_large"):
        await known(provider).authorization_url(new_challenge(), BACK)


@pytest.mark.parametrize(
    ("address", "development", "production"),
    [
        ("https://accounts.example.org", True, True),
        ("http://localhost:9000", True, False),
        ("http://127.0.0.1:9000", True, False),
        ("http://[::1]:9000", True, False),
        ("http://accounts.example.org", False, False),
        ("http://localhost.example.org", False, False),
        ("http://127.0.0.1@evil.example.org", False, False),
        ("ftp://localhost", False, False),
        ("https://", False, False),
    ],
)
@pytest.mark.asvs("V1.3.6")
def test_ID_20_an_issuer_is_https_but_on_ones_own_machine(
    address: str, development: bool, production: bool
) -> None:
    assert is_safe(address, settings_with()) is development
    assert is_safe(address, settings_with().model_copy(update={"mode": "production"})) is production


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"x": {"issuer": "https://a.example", "client_id": "b"}}',
        '{"x": {"issuer": "http://a.example", "client_id": "b", "client_secret": "hidden"}}',
        '{"x": {"issuer": "https://a.example", "client_id": "", "client_secret": "hidden"}}',
        '{"x": {"issuer": "https://a.b", "client_id": "c", "client_secret": "hidden", "y": 1}}',
    ],
)
def test_wrong_providers_end_the_start_and_show_no_secret(text: str) -> None:
    with pytest.raises(SettingsError) as told:
        open_providers(settings_with(oidc_providers=SecretStr(text)))
    assert "hidden" not in str(told.value)


def test_without_providers_there_are_none() -> None:
    assert open_providers(settings_with()) == {}


def test_an_identity_shows_nobody_in_a_traceback() -> None:
    shown = repr(Identity("https://a.example", "nimal", "nimal@example.org", True, "Nimal"))
    assert "nimal" not in shown.lower()
