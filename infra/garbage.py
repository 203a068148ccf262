"""Python's search for cycles of objects: not where hardly any form, nor while all that is made
will stay.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Load modules, and make what lives as long as the process, without looking through it all
    for garbage again and again: a fifth of the API's start. Nor is it looked through later.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


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
