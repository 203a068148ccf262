"""V6.2.4: passwords that are tried first are known, whatever stands around them."""

from __future__ import annotations

import time

import pytest

from infra.credentials.common_passwords import is_common

TEXT = """
password password1 Password123 passw0rd P@ssw0rd! p4$$w0rd 12345678 123456789 1234567890
11111111 00000000 qwertyuiop qwerty123 1qaz2wsx 1q2w3e4r 1q2w3e4r5t zaq12wsx asdfghjkl asdfasdf
abcd1234 abc12345 iloveyou iloveyou1 princess sunshine1 football baseball welcome1 letmein1
trustno1 superman charlie1 michael1 jennifer dragon12 monkey123 shadow99 master2024 computer
internet whatever starwars minecraft pokemon123 liverpool chelsea1 arsenal1 barcelona qwertz123
azerty123 passwort changeme admin123 administrator Welcome2024! Summer2023 19870212 01011990
87654321 abababab 12121212 123123123 987654321 147258369 passwordpassword lovelove marketmesh1
srilanka123 colombo123 !@#$%^&* fuckyou1 asshole1 qazwsx12
"""
COMMON = TEXT.split()
FINE = [
    "correct horse battery",
    "another horse staple",
    "Tr0ub4dor&3x",
    "g7Kq-pw2m",
    "vimanaya-kotuwa",
    "මගේ රහස් පදය",
    "x" * 30 + "yzab",
    "a" * 40 + "quite long and odd",
    "0491570156-28374",
]


@pytest.mark.parametrize("password", COMMON)
def test_V6_2_4_what_is_tried_first_is_common(password: str) -> None:
    assert is_common(password)


@pytest.mark.parametrize("password", FINE)
def test_V6_2_5_what_is_ones_own_is_fine(password: str) -> None:
    assert not is_common(password)


@pytest.mark.asvs("V1.3.12")
def test_V6_2_4_no_text_takes_long_to_judge() -> None:
    began = time.process_time()
    for text in ("1" * 255 + "x", "1!" * 127 + "x", "a1" * 128, "qwe" * 85):
        is_common(text)
    assert time.process_time() - began < 0.5
