"""What the vault's cryptography promises, for any text."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable
from uuid import UUID, uuid4

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from infra.settings import Settings
from infra.vault.vault import KEY_BYTES, MasterKeyMissingError, PersonKey, UnsealError, Wrapping

texts = st.text(max_size=300)
keys = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES)
ANNA, BEN = UUID(int=1), UUID(int=2)


def settings_with(master: bytes, lookup: bytes, others: Iterable[bytes] = ()) -> Settings:
    return Settings(
        kafka_bootstrap="unused:1",
        database_url="postgresql://unused",
        opensearch_url="http://unused",
        clickhouse_url="clickhouse://unused",
        redis_url="redis://unused",
        master_key=base64.b64encode(master).decode(),
        other_master_keys=",".join(base64.b64encode(each).decode() for each in others),
        lookup_key=base64.b64encode(lookup).decode(),
    )


@given(keys, texts)
def test_what_is_sealed_opens_again(key: bytes, text: str) -> None:
    person = PersonKey(ANNA, key)
    assert person.unseal("email", person.seal("email", text)) == text


@given(keys, texts)
def test_a_sealed_text_does_not_hold_the_text(key: bytes, text: str) -> None:
    assume(len(text) > 3)
    sealed = PersonKey(ANNA, key).seal("email", text)
    assert text not in sealed
    assert text.encode() not in base64.urlsafe_b64decode(sealed[1:])


@given(keys, texts)
def test_the_same_text_is_never_sealed_alike(key: bytes, text: str) -> None:
    person = PersonKey(ANNA, key)
    assert person.seal("email", text) != person.seal("email", text)


@given(keys, keys, texts)
def test_another_key_opens_nothing(key: bytes, other: bytes, text: str) -> None:
    assume(key != other)
    with pytest.raises(UnsealError):
        PersonKey(ANNA, other).unseal("email", PersonKey(ANNA, key).seal("email", text))


@given(keys, texts)
def test_a_sealed_text_opens_in_no_other_field(key: bytes, text: str) -> None:
    person = PersonKey(ANNA, key)
    with pytest.raises(UnsealError):
        person.unseal("name", person.seal("email", text))


@given(keys, texts)
def test_a_sealed_text_opens_for_nobody_else(key: bytes, text: str) -> None:
    with pytest.raises(UnsealError):
        PersonKey(BEN, key).unseal("email", PersonKey(ANNA, key).seal("email", text))


@given(keys, texts, st.data())
def test_an_altered_text_does_not_open(key: bytes, text: str, data: st.DataObject) -> None:
    person = PersonKey(ANNA, key)
    packed = bytearray(base64.urlsafe_b64decode(person.seal("email", text)[1:]))
    place = data.draw(st.integers(0, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(UnsealError):
        person.unseal("email", "1" + base64.urlsafe_b64encode(packed).decode())


@given(keys, texts)
def test_no_rubbish_opens(key: bytes, rubbish: str) -> None:
    with pytest.raises(UnsealError):
        PersonKey(ANNA, key).unseal("email", rubbish)


def test_a_person_key_does_not_print_itself() -> None:
    secret = os.urandom(KEY_BYTES)
    assert repr(secret)[2:-1] not in repr(PersonKey(uuid4(), secret))


@given(keys, keys)
def test_a_wrapped_key_opens_only_for_its_owner(master: bytes, key: bytes) -> None:
    wrapping = Wrapping(settings_with(master, master))
    wrapped = wrapping.wrap(key, "person/1")
    assert key not in wrapped
    assert wrapping.unwrap(wrapped, "person/1", wrapping.master_key_id) == key
    with pytest.raises(UnsealError):
        wrapping.unwrap(wrapped, "person/2", wrapping.master_key_id)


@given(keys, keys, keys)
def test_another_master_key_unwraps_nothing(master: bytes, other: bytes, key: bytes) -> None:
    assume(master != other)
    wrapping, foreign = (Wrapping(settings_with(each, master)) for each in (master, other))
    wrapped = wrapping.wrap(key, "person/1")
    with pytest.raises(MasterKeyMissingError):
        foreign.unwrap(wrapped, "person/1", wrapping.master_key_id)
    with pytest.raises(UnsealError):
        foreign.unwrap(wrapped, "person/1", foreign.master_key_id)


@given(keys, keys, keys)
def test_what_an_earlier_master_key_wrapped_still_opens(
    earlier: bytes, present: bytes, key: bytes
) -> None:
    assume(earlier != present)
    before = Wrapping(settings_with(earlier, earlier))
    after = Wrapping(settings_with(present, earlier, [earlier]))
    wrapped = before.wrap(key, "person/1")
    assert after.unwrap(wrapped, "person/1", before.master_key_id) == key
    assert after.master_key_id != before.master_key_id
    rewrapped = after.wrap(key, "person/1")
    with pytest.raises(UnsealError):
        before.unwrap(rewrapped, "person/1", before.master_key_id)


@given(keys, keys, st.text(min_size=1, max_size=20))
def test_a_derived_key_belongs_to_one_purpose_and_salt(
    master: bytes, salt: bytes, purpose: str
) -> None:
    wrapping = Wrapping(settings_with(master, master))
    derived = wrapping.derived_key(purpose, salt, wrapping.master_key_id)
    assert derived == wrapping.derived_key(purpose, salt, wrapping.master_key_id)
    assert derived != wrapping.derived_key(purpose + "x", salt, wrapping.master_key_id)
    assert derived != wrapping.derived_key(purpose, salt + b"x", wrapping.master_key_id)
    assert derived != master


@given(keys, keys)
def test_each_master_key_has_an_id_that_does_not_tell_it(master: bytes, other: bytes) -> None:
    assume(master != other)
    first, second = (Wrapping(settings_with(each, each)) for each in (master, other))
    assert first.master_key_id != second.master_key_id
    assert first.master_key_id not in master.hex()


@given(keys, keys, texts)
def test_a_lookup_hash_depends_on_key_and_text(key: bytes, other: bytes, text: str) -> None:
    assume(key != other)
    first, second = (Wrapping(settings_with(each, each)) for each in (key, other))
    assert first.lookup_hash(text) == first.lookup_hash(text)
    assert first.lookup_hash(text) != second.lookup_hash(text)
    assert first.lookup_hash(text) != first.lookup_hash(text + "x")
