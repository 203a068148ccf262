"""The native protocol, held to clickhouse-driver: the same claims on our adapter and, when
CLICKHOUSE_URL names one, on a real clickhouse-server.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ErrorCodes, ServerException

from tests.infra.stack.killing import kill_hard
from tests.stack import local_stack, session_state

REAL_SERVER = os.environ.get("CLICKHOUSE_URL", "")
# Claims about our adapter itself: tests/infra/conftest.py leaves them out for a real server.
ours_only = pytest.mark.ours_only


@pytest.fixture(scope="session")
def url() -> str:
    return REAL_SERVER or local_stack({"clickhouse"}).clickhouse_url.get_secret_value()


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    """A client whose database is its own and goes with it."""
    database = f"test_{uuid.uuid4().hex}"
    with Client.from_url(url) as one:
        one.execute(f"CREATE DATABASE {database}")
        one.execute(f"USE {database}")
        one.database = database
        yield one
        one.disconnect()
    with Client.from_url(url) as other:
        other.execute(f"DROP DATABASE {database}")


def again(url: str, client: Client) -> Client:
    """A second connection to the same database."""
    other = Client.from_url(url)
    other.execute(f"USE {client.database}")
    return other


VALUES: list[tuple[str, list[Any]]] = [
    ("UInt64", [0, 1, 2**64 - 1]),
    ("Int8", [-128, 0, 127]),
    ("Float64", [0.0, -1.5, 1e300]),
    ("Bool", [True, False]),
    ("String", ["", "naïve 🚗", "x" * 100_000]),
    ("FixedString(3)", ["abc", "xyz"]),
    ("UUID", [uuid.UUID(int=0), uuid.UUID("0190a7b0-0000-7000-8000-000000000001")]),
    ("Date", [date(1970, 1, 1), date(2026, 11, 22)]),
    ("DateTime", [datetime(2026, 11, 22, 1, 2, 3)]),  # noqa: DTZ001 - as the driver gives it
    ("DateTime64(3, 'UTC')", [datetime(2026, 11, 22, 1, 2, 3, 456000, tzinfo=UTC)]),
    ("Decimal(18, 2)", [Decimal("12.34"), Decimal("-0.01")]),
    ("Enum8('a' = 1, 'b, (c)' = 2)", ["a", "b, (c)"]),
    ("Nullable(String)", [None, "", "x"]),
    ("Nullable(UInt64)", [None, 7]),
    ("LowCardinality(String)", ["red", "blue", "red"]),
    ("LowCardinality(Nullable(String))", ["red", None, "red"]),
    ("Array(String)", [[], ["a"], ["b", "c"]]),
    ("Array(Array(UInt64))", [[], [[1], []], [[2, 3]]]),
    ("Array(LowCardinality(String))", [["a", "b"], [], ["a"]]),
    ("Array(Nullable(Float64))", [[None, 1.5], []]),
    ("Map(String, UInt64)", [{}, {"a": 1, "b": 2}]),
    ("Map(String, Array(String))", [{"a": ["x"]}, {}]),
    ("Tuple(UInt64, String)", [(1, "a"), (2, "b")]),
    ("Array(Tuple(String, UInt64))", [[("a", 1)], []]),
]


@pytest.mark.parametrize(("kind", "values"), VALUES, ids=[kind for kind, _ in VALUES])
def test_a_value_of_each_type_comes_back_as_it_was_inserted(
    client: Client, kind: str, values: list[Any]
) -> None:
    client.execute(f"CREATE TABLE t (n UInt32, v {kind}) ENGINE = MergeTree ORDER BY n")
    client.execute("INSERT INTO t VALUES", list(enumerate(values)))
    assert [row[0] for row in client.execute("SELECT v FROM t ORDER BY n")] == values


def test_every_type_fits_into_one_wide_insert(client: Client) -> None:
    columns = ", ".join(f"c{at} {kind}" for at, (kind, _) in enumerate(VALUES))
    client.execute(f"CREATE TABLE t ({columns}) ENGINE = MergeTree ORDER BY tuple()")
    row = tuple(values[0] for _, values in VALUES)
    client.execute("INSERT INTO t VALUES", [row] * 1000)
    assert client.execute("SELECT * FROM t LIMIT 1") == [row]
    assert client.execute("SELECT count() FROM t") == [(1000,)]


def test_json_is_kept_as_text(client: Client) -> None:
    document = json.dumps({"price": 8, "tags": ["a", "ü"], "quote": 'it\'s "so"\n'})
    client.execute("CREATE TABLE t (v String) ENGINE = MergeTree ORDER BY tuple()")
    client.execute("INSERT INTO t VALUES", [(document,)])
    assert client.execute("SELECT v, JSONExtractUInt(v, 'price') FROM t") == [(document, 8)]


def test_an_insert_of_100k_rows_is_whole(client: Client) -> None:
    client.execute("CREATE TABLE t (n UInt64, s String, w String) ENGINE = MergeTree ORDER BY n")
    rows = [(n, str(n), "x" * (n % 300)) for n in range(100_000)]
    assert client.execute("INSERT INTO t VALUES", rows) == 100_000
    assert client.execute("SELECT count(), sum(n), sum(length(w)) FROM t") == [
        (100_000, sum(range(100_000)), sum(n % 300 for n in range(100_000)))
    ]


def test_columns_can_be_inserted_as_columns(client: Client) -> None:
    client.execute("CREATE TABLE t (a UInt64, b Array(String)) ENGINE = MergeTree ORDER BY a")
    client.execute("INSERT INTO t (b, a) VALUES", [[["x"], []], [1, 2]], columnar=True)
    assert client.execute("SELECT * FROM t ORDER BY a", columnar=True) == [(1, 2), (["x"], [])]


def test_columns_left_out_take_their_defaults(client: Client) -> None:
    client.execute(
        "CREATE TABLE t (a UInt64, b String DEFAULT 'none') ENGINE = MergeTree ORDER BY a"
    )
    client.execute("INSERT INTO t (a) VALUES", [{"a": 1}])
    assert client.execute("SELECT * FROM t") == [(1, "none")]


def test_an_insert_of_no_rows_leaves_the_connection_usable(client: Client) -> None:
    client.execute("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    client.execute("INSERT INTO t VALUES", [])
    assert client.execute("SELECT count() FROM t") == [(0,)]


def test_an_insert_is_seen_by_others_as_soon_as_it_is_answered(url: str, client: Client) -> None:
    client.execute("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    with again(url, client) as other:
        for n in range(20):
            client.execute("INSERT INTO t VALUES", [(n,)])
            assert other.execute("SELECT max(a) FROM t") == [(n,)]


def test_rows_are_moved_between_tables_without_the_client(client: Client) -> None:
    client.execute("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    client.execute("INSERT INTO t SELECT number FROM numbers(10)")
    client.execute("INSERT INTO t VALUES (100), (101)")
    assert client.execute("SELECT count(), max(a) FROM t") == [(12, 101)]


def test_window_functions_answer(client: Client) -> None:
    rows = client.execute(
        "SELECT number, sum(number) OVER (ORDER BY number), "
        "lagInFrame(number) OVER (ORDER BY number) FROM numbers(3) ORDER BY number"
    )
    assert rows == [(0, 0, 0), (1, 1, 0), (2, 3, 1)]


def test_an_answer_of_many_blocks_is_complete_and_in_order(client: Client) -> None:
    rows = client.execute(
        "SELECT number, toString(number), [number] FROM numbers(300000) ORDER BY number"
    )
    assert rows == [(n, str(n), [n]) for n in range(300_000)]


def test_low_cardinality_survives_many_blocks(client: Client) -> None:
    rows = client.execute("SELECT toLowCardinality(toString(number % 1000)) FROM numbers(200000)")
    assert [value for (value,) in rows] == [str(n % 1000) for n in range(200_000)]


def test_no_rows_still_have_columns(client: Client) -> None:
    rows, columns = client.execute(
        "SELECT number AS n, toString(number) AS s FROM numbers(0);", with_column_types=True
    )
    assert (rows, columns) == ([], [("n", "UInt64"), ("s", "String")])


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT * FROM no_such_table", ErrorCodes.UNKNOWN_TABLE),
        ("SELECT (1", ErrorCodes.SYNTAX_ERROR),
        ("SELECT no_such_function(1)", ErrorCodes.UNKNOWN_FUNCTION),
        ("USE no_such_database", ErrorCodes.UNKNOWN_DATABASE),
        ("SELECT throwIf(number = 2) FROM numbers(3)", 395),
    ],
)
def test_a_fault_has_clickhouses_own_code(client: Client, sql: str, code: int) -> None:
    with pytest.raises(ServerException) as fault:
        client.execute(sql)
    assert fault.value.code == code
    assert client.execute("SELECT 1") == [(1,)]


def test_an_insert_into_a_missing_table_has_its_code(client: Client) -> None:
    with pytest.raises(ServerException) as fault:
        client.execute("INSERT INTO no_such_table VALUES", [(1,)])
    assert fault.value.code == ErrorCodes.UNKNOWN_TABLE


def test_an_insert_that_breaks_a_constraint_leaves_nothing(client: Client) -> None:
    client.execute(
        "CREATE TABLE t (a UInt64, CONSTRAINT small CHECK a < 10) ENGINE = MergeTree ORDER BY a"
    )
    with pytest.raises(ServerException) as fault:
        client.execute("INSERT INTO t VALUES", [(1,), (100,)])
    assert fault.value.code == 469
    assert client.execute("SELECT count() FROM t") == [(0,)]


def test_settings_hold_for_their_statement_only(client: Client) -> None:
    asked = "SELECT value FROM system.settings WHERE name = 'max_threads'"
    before = client.execute(asked)
    assert client.execute(asked, settings={"max_threads": 3}) == [("3",)]
    assert client.execute(asked) == before


def test_an_unknown_setting_is_refused_by_name(client: Client) -> None:
    with pytest.raises(ServerException) as fault:
        client.execute("SELECT 1", settings={"no_such_setting": 1})
    assert fault.value.code == 115
    assert client.execute("SELECT 1") == [(1,)]


def test_parameters_are_put_in_by_the_driver(client: Client) -> None:
    asked = {"s": "it's; \\ DROP", "n": 7}
    assert client.execute("SELECT %(s)s, %(n)s", asked) == [("it's; \\ DROP", 7)]


def test_a_ping_is_answered_between_queries(client: Client) -> None:
    client.execute("SELECT 1")
    assert client.connection.ping()
    assert client.execute("SELECT 2") == [(2,)]


def test_rows_can_be_read_one_by_one_while_another_client_works(url: str, client: Client) -> None:
    rows = client.execute_iter("SELECT number FROM numbers(1000000)")
    first = next(rows)
    with Client.from_url(url) as other:
        assert other.execute("SELECT 1") == [(1,)]
    assert (first, sum(1 for _ in rows)) == ((0,), 999_999)


def test_threads_with_a_client_each_do_not_mix_their_answers(url: str, client: Client) -> None:
    client.execute("CREATE TABLE t (who UInt64, n UInt64) ENGINE = MergeTree ORDER BY n")

    def work(who: int) -> list[tuple[int, int]]:
        with again(url, client) as mine:
            for n in range(20):
                mine.execute("INSERT INTO t VALUES", [(who, n)] * 10)
            return list(mine.execute(f"SELECT {who}, count() FROM t WHERE who = {who}"))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [[(who, 200)] for who in range(8)]


def test_a_client_that_goes_away_during_its_query_blocks_nobody(url: str) -> None:
    leaving = Client.from_url(url)
    leaving.execute("SELECT 1")
    # Minutes of work, all of it before the first row.
    leaving.connection.send_query("SELECT count() FROM numbers(30000000000) WHERE sin(number) > 2")
    leaving.connection.send_external_tables([])
    leaving.disconnect()
    with Client.from_url(f"{url}?send_receive_timeout=10") as other:
        assert other.execute("SELECT 1") == [(1,)]


@ours_only
def test_an_insert_cut_short_leaves_nothing(url: str, client: Client) -> None:
    client.execute("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")

    def half() -> Iterator[tuple[int]]:
        yield from ((n,) for n in range(50_000))
        raise ConnectionAbortedError

    with again(url, client) as other, pytest.raises(ConnectionAbortedError):
        other.execute("INSERT INTO t VALUES", half(), settings={"insert_block_size": 10_000})
    assert client.execute("SELECT count() FROM t") == [(0,)]


def test_a_cancelled_query_stops_early(url: str) -> None:
    with Client.from_url(url) as one:
        rows = one.execute_iter(
            "SELECT sleepEachRow(0.01) FROM numbers(3000) SETTINGS max_block_size = 10"
        )
        began = time.monotonic()
        threading.Timer(0.5, one.connection.send_cancel).start()
        with contextlib.suppress(ServerException):
            assert len(list(rows)) < 3000
        assert time.monotonic() - began < 10


def test_a_wrong_password_is_refused(url: str) -> None:
    parts = urlsplit(url)
    wrong = Client(parts.hostname, parts.port, user=parts.username, password="wrong")
    with pytest.raises(ServerException) as fault:
        wrong.execute("SELECT 1")
    assert fault.value.code in {516, 193}


@ours_only
def test_compression_is_refused_with_a_word_on_what_to_do(url: str) -> None:
    packed = Client.from_url(f"{url}?compression=lz4")
    with pytest.raises(ServerException, match="connect with compression off"):
        packed.execute("SELECT 1")


@ours_only
def test_noise_instead_of_a_greeting_harms_nobody(url: str) -> None:
    parts = urlsplit(url)
    for noise in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100, b"\x00\x05"):
        with socket.create_connection((parts.hostname, parts.port), timeout=5) as caller:
            caller.sendall(noise)
    with Client.from_url(url) as client:
        assert client.execute("SELECT 1") == [(1,)]


@ours_only
def test_what_was_answered_is_there_after_kill_9(tmp_path_factory: Any) -> None:
    del tmp_path_factory
    url = local_stack({"clickhouse"}).clickhouse_url.get_secret_value()
    with Client.from_url(url) as client:
        client.execute("DROP TABLE IF EXISTS kept")
        client.execute("CREATE TABLE kept (a UInt64) ENGINE = MergeTree ORDER BY a")
        for n in range(50):
            client.execute("INSERT INTO kept VALUES", [(n,), (n + 1000,)])
    kill_hard(session_state().of("clickhouse") / "pid")
    local_stack({"clickhouse"})
    with Client.from_url(url) as client:
        assert client.execute("SELECT count(), uniqExact(a) FROM kept") == [(100, 100)]
        client.execute("DROP TABLE kept")
