"""Python's search for cycles of objects, for processes whose objects form hardly any."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collector() -> Iterator[None]:
    """Leave reclaiming to reference counts, which suffice for records, commands and rows.

    What little forms cycles is collected where the process says so, between two batches.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
