from __future__ import annotations

from hypothesis import given

from projections.wallet.wallet_entries import wallet_entries
from projections.wallet.wallets import Wallet, wallets
from schemas.wallet import WalletEvent, wallet_stream
from tests.producers.tokens import ID, accepted, commands, credited, debited, refunded
from tests.projections.history import history, rows_of

STREAM, KEY = wallet_stream(ID), str(ID)


def wallet_after(*events: WalletEvent) -> Wallet:
    return rows_of(wallets, history(STREAM, *events))[KEY]


def test_WA_01_a_wallet_holds_what_came_in_and_did_not_go_out() -> None:
    assert wallet_after(credited(5)) == Wallet(halves=10, version=1)
    assert wallet_after(credited(5), debited(3)) == Wallet(halves=4, version=2)
    assert wallet_after(credited(5), debited(3), refunded(2)) == Wallet(halves=8, version=3)


@given(commands)
def test_WA_01_the_balance_is_the_sum_of_the_entries_at_any_point(asked) -> None:
    happened = history(STREAM, *accepted(asked))
    for end in range(1, len(happened) + 1):
        entries = rows_of(wallet_entries, happened[:end]).values()
        wallet = rows_of(wallets, happened[:end])[KEY]
        assert wallet.halves == sum(each.halves for each in entries) >= 0
        assert wallet.version == len(entries) == end
