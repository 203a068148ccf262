from __future__ import annotations

from projections.wallet.wallet_entries import WalletEntry, wallet_entries
from schemas.wallet import wallet_stream
from tests.producers.tokens import ID, NOW, credited, debited, item, refunded
from tests.projections.history import history, rows_of


def test_WA_01_every_entry_tells_what_changed_why_and_about_what() -> None:
    events = (credited(5), debited(3, item(2)), refunded(2, item(2)))
    found = rows_of(wallet_entries, history(wallet_stream(ID), *events)).values()
    assert list(found) == [
        WalletEntry(str(ID), 1, "credit", 10, "goodwill", item(1), NOW),
        WalletEntry(str(ID), 2, "debit", -6, "correction", item(2), NOW),
        WalletEntry(str(ID), 3, "refund", 4, "cancelled", item(2), NOW),
    ]
