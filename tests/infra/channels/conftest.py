"""A certificate that this machine's clients trust, as push services have one."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import fetching
from tests.infra.channels.given import self_signed


@pytest.fixture
def trusted_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ssl.SSLContext]:
    context, certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    fetching.tls.cache_clear()
    yield context
    fetching.tls.cache_clear()
