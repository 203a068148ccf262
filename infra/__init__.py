"""The machines: clients, settings, logging, metrics, the vault and the local stack."""

import os

# Else clickhouse-driver makes a table of every day from 1900 to 2299 whenever it is imported,
# before anything of ours can ask it not to: a third of a second and 23 MB of every process.
os.environ.setdefault("CLICKHOUSE_DRIVER_LASY_DATE_LUT", "1")
