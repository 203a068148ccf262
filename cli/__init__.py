"""The `mesh` command: what people and supervisors start."""

import gc

# Before anything else is imported: a process begins with two hundred thousand objects that it
# keeps for ever. Looking through them again after every 700 new ones, Python's own choice, took
# 0.7 s of the API's 4 s start. The loops that this serves free almost all by counting references.
gc.set_threshold(50_000, 10, 10)
