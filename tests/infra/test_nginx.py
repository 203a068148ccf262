"""What nginx.conf promises, read from its text; test_nginx_runs.py runs it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from uuid import UUID

import pytest
import yaml

from api.messaging.realtime import PACKET_BYTES_MAX, Realtime
from api.wire.problems import BODY_BYTES_MAX, IMAGES_BYTES_MAX, UPLOAD_BYTES_MAX, ProblemBody
from tests.infra.nginx import parsed
from tests.infra.vault.test_vault_keys import settings_with

ROOT = Path(__file__).parents[2]
HTTP = parsed(ROOT / "infra/nginx/nginx.conf").one("http")
PLAIN, SECURE = HTTP.all("server")
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
HSTS = ("Strict-Transport-Security", "max-age=31536000; includeSubDomains", "always")


@pytest.mark.parametrize("text", ["http { a b; ", "a b", "http { a b; } }", "http { a b }"])
def test_a_broken_file_is_not_parsed(tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.conf").write_text(text)
    with pytest.raises(ValueError, match=r"no end|no semicolon|unexpected"):
        parsed(tmp_path / "broken.conf")


def location(path: str) -> object:
    (found,) = [each for each in SECURE.all("location") if each.words[-1] == path]
    return found


def test_NS_02_plain_http_is_sent_to_tls_and_keeps_its_method() -> None:
    everything = next(each for each in PLAIN.all("location") if each.words == ("/",))
    assert everything.value("return") == "308 https://$host$request_uri"


def test_NS_02_no_request_passes_without_tls_but_the_health_check() -> None:
    passing = [each for each in PLAIN.all("location") if each.all("proxy_pass")]
    assert [each.words for each in passing] == [("=", "/health/live")]
    assert [each.words for each in passing[0].all("deny")] == [("all",)]


def test_NS_02_tls_is_of_today() -> None:
    assert SECURE.value("listen") == "8443 ssl"
    assert SECURE.value("ssl_protocols") == "TLSv1.2 TLSv1.3"
    assert SECURE.value("ssl_session_tickets") == "off"
    assert not re.search(r"RC4|CBC|MD5|3DES|NULL|EXP", SECURE.value("ssl_ciphers"))


def test_NS_02_every_answer_has_hsts_once() -> None:
    assert [each.words for each in SECURE.all("add_header")] == [HSTS]
    assert SECURE.value("proxy_hide_header") == "Strict-Transport-Security"
    # A location with headers of its own inherits none.
    for each in SECURE.all("location"):
        if each.all("add_header"):
            assert HSTS in [header.words for header in each.all("add_header")], each.words


def test_GW_03_requests_go_round_every_replica_and_past_dead_ones() -> None:
    upstreams = HTTP.all("upstream")
    assert [each.words for each in upstreams] == [("api",), ("chat",)]
    for each in upstreams:
        (server,) = each.all("server")
        assert server.words == ("api:8000", "resolve", "max_fails=2", "fail_timeout=5s")
    assert HTTP.value("resolver") == "127.0.0.11 valid=5s"
    assert location("/").value("proxy_pass") == "http://api"
    assert int(SERVICES["api"]["deploy"]["replicas"].partition(":-")[2].rstrip("}")) >= 2


def test_GW_03_no_write_is_sent_twice() -> None:
    retried = location("/").one("proxy_next_upstream").words
    assert retried == ("error", "timeout", "http_503")
    assert "non_idempotent" not in retried


def test_MS_15_sockets_pass_and_stay_with_one_replica() -> None:
    chat = location("/socket.io/")
    assert chat.value("proxy_pass") == "http://chat"
    assert chat.value("proxy_http_version") == "1.1"
    passed = dict(each.words for each in chat.all("proxy_set_header"))
    assert passed["Upgrade"] == "$http_upgrade"
    assert passed["Connection"] == "$connection_wanted"
    (wanted,) = HTTP.all("map")
    assert wanted.words == ("$http_upgrade", "$connection_wanted")
    assert [(each.name, *each.words) for each in wanted.block] == [("default", "upgrade"), ("", "")]
    (sticky,) = [each for each in HTTP.all("upstream") if each.words == ("chat",)]
    assert sticky.value("hash") == "$binary_remote_addr consistent"


def test_MS_15_a_socket_outlives_its_pings_and_a_dead_container_does_not() -> None:
    pings = Realtime(settings_with(bytes(32), bytes(32))).server.eio
    silence = int(location("/socket.io/").value("proxy_read_timeout").rstrip("s"))
    assert pings.ping_interval + pings.ping_timeout < silence <= 60


def test_MS_15_what_a_client_says_of_itself_is_written_over_for_sockets_too() -> None:
    everything, chat = (
        {each.words for each in location(path).all("proxy_set_header")}
        for path in ("/", "/socket.io/")
    )
    assert {words for words in everything if words[0] != "Connection"} <= chat


@pytest.mark.parametrize(
    "name", ["client_header_timeout", "client_body_timeout", "send_timeout", "keepalive_timeout"]
)
def test_NS_03_no_client_takes_for_ever(name: str) -> None:
    assert 0 < int(HTTP.value(name).rstrip("s")) <= 75


@pytest.mark.parametrize(
    "name", ["proxy_connect_timeout", "proxy_send_timeout", "proxy_read_timeout"]
)
def test_NS_03_no_container_takes_for_ever(name: str) -> None:
    assert 0 < int(location("/").value(name).rstrip("s")) <= 30


def test_NS_03_an_address_has_few_connections_and_a_bounded_rate() -> None:
    assert SECURE.value("limit_conn") == "connections 100"
    assert SECURE.value("limit_req") == "zone=requests burst=200 nodelay"
    zones = {each.words[1].split(":")[0] for each in HTTP.deep() if each.name.endswith("_zone")}
    assert zones == {"zone=connections", "zone=requests"}


def test_NS_03_bodies_are_bounded_as_the_api_bounds_them() -> None:
    assert HTTP.value("client_max_body_size") == f"{BODY_BYTES_MAX // 1024 // 1024}m"


LARGER = {
    f"/api/users/{UUID(int=1)}/avatar": UPLOAD_BYTES_MAX,
    "/api/images": IMAGES_BYTES_MAX,
    "/api/media/images": IMAGES_BYTES_MAX,
    f"/api/listings/{UUID(int=1)}/images": IMAGES_BYTES_MAX,
}


def test_only_pictures_may_be_larger_and_so_large_as_the_api_takes_them() -> None:
    places = location("/").all("location")
    sizes = [each for each in SECURE.deep() if each.name == "client_max_body_size"]
    assert len(sizes) == len(places) + 1  # the sockets' packets are smaller
    for path, most in LARGER.items():
        (place,) = [each for each in places if re.search(each.words[1], path)]
        allowed = int(place.value("client_max_body_size").rstrip("m")) * 1024 * 1024
        assert most <= allowed < most + 2 * 1024 * 1024
    for path in ("/api/images/process", "/api/images/", "/api/media", "/api/listings"):
        assert not [each for each in places if re.search(each.words[1], path)]


@pytest.mark.parametrize(
    "of",
    [
        "favorites/shared",
        "compare/shared",
        "search/alerts/unsubscribe",
        "notifications/unsubscribe",
    ],
)
def test_FA_10_no_log_of_nginx_holds_the_address_of_what_is_shared(of: str) -> None:
    """It writes whole request lines where it logs errors, and those of refused ones as errors."""
    assert HTTP.value("access_log") == "off"
    places = location("/").all("location")
    (place,) = [each for each in places if re.search(each.words[1], f"/api/{of}/{'a' * 43}")]
    assert place.one("error_log").words == ("stderr", "crit")
    assert {place.value(f"limit_{each}_log_level") for each in ("req", "conn")} == {"info"}
    assert int(place.value("client_max_body_size").rstrip("m")) * 1024 * 1024 == BODY_BYTES_MAX


def test_NS_03_a_sockets_packets_are_bounded_as_the_api_bounds_them() -> None:
    size = location("/socket.io/").value("client_max_body_size")
    assert int(size.rstrip("k")) * 1024 == PACKET_BYTES_MAX


@pytest.mark.parametrize(("name", "status"), [("@too_many", 429), ("@unavailable", 503)])
def test_GW_14_what_nginx_says_itself_is_a_problem(name: str, status: int) -> None:
    answer = location(name)
    said, body = answer.one("return").words
    problem = ProblemBody.model_validate(json.loads(body))
    assert (int(said), problem.status) == (status, status)
    assert answer.value("default_type") == "application/problem+json"
    assert ("Retry-After", "1", "always") in [each.words for each in answer.all("add_header")]


def test_V4_1_3_what_the_client_says_of_its_address_is_written_over() -> None:
    passed = dict(each.words for each in location("/").all("proxy_set_header"))
    assert passed["X-Forwarded-For"] == "$remote_addr"
    assert passed["Forwarded"] == passed["X-Real-IP"] == passed["X-Forwarded-Host"] == ""


def test_V13_4_5_metrics_do_not_pass() -> None:
    assert location("/metrics").value("return") == "404"


def test_V13_4_6_nginx_keeps_its_version_to_itself() -> None:
    assert HTTP.value("server_tokens") == "off"


def test_NS_03_the_api_believes_the_network_of_nginx_and_no_other() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    (network,) = compose["networks"]["default"]["ipam"]["config"]
    assert SERVICES["api"]["environment"]["TRUSTED_PROXIES"] == network["subnet"]


def test_NS_02_nginx_is_given_the_certificate_that_it_reads() -> None:
    mounts = [each.rsplit(":", 2) for each in SERVICES["nginx"]["volumes"]]
    folders = {place: (source, mode) for source, place, mode in mounts}
    source, mode = folders["/etc/nginx/tls"]
    assert source.startswith("${TLS_FOLDER:?")
    assert mode == "ro"
    for name in ("ssl_certificate", "ssl_certificate_key"):
        assert SECURE.value(name).startswith("/etc/nginx/tls/")
