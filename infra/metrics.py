"""Every metric the mesh exports: a closed list. A name that is not here does not exist."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

HTTP_REQUESTS = Counter(
    "mesh_http_requests_total", "Requests answered", ("method", "route", "status")
)
HTTP_SECONDS = Histogram(
    "mesh_http_request_seconds", "Time to answer", ("method", "route"), buckets=_FAST
)
KEPT_ANSWERS = Counter(
    "mesh_kept_answers_total",
    "Answers asked of those that are kept for a moment",
    ("kind", "outcome"),  # hit, miss, shared, away
)
COMMANDS = Counter("mesh_commands_total", "Commands answered by the writer", ("context", "outcome"))
COMMANDS_REPEATED = Counter(
    "mesh_commands_repeated_total", "Commands answered with their first reply", ("context",)
)
COMMANDS_PARKED = Counter("mesh_commands_parked_total", "Commands parked", ("context", "reason"))
EVENTS_APPENDED = Counter("mesh_events_appended_total", "Events appended", ("context",))
APPEND_SECONDS = Histogram(
    "mesh_append_seconds", "Time of one writer transaction", ("context",), buckets=_FAST
)
WRITER_REOPENED = Counter(
    "mesh_writer_reopened_total", "Producers opened anew after an unknown result", ("context",)
)
WRITER_PARTITIONS = Gauge("mesh_writer_partitions", "Partitions this writer owns")
EVENTS_FOLDED = Counter("mesh_events_folded_total", "Events folded", ("projection",))
EVENTS_IGNORED = Counter(
    "mesh_events_ignored_total",
    "Records that a reader passed over",
    ("projection", "reason"),  # repeated, stale_epoch, version_gap
)
EVENTS_PARKED = Counter("mesh_events_parked_total", "Events parked", ("projection",))
PARKED_STREAMS = Gauge(
    "mesh_parked_streams", "Streams of the live generation that wait", ("projection",)
)
LAG_EVENTS = Gauge("mesh_projection_lag_events", "Records not yet folded", ("projection",))
LAG_SECONDS = Gauge(
    "mesh_projection_lag_seconds", "Age of the newest folded event when folded", ("projection",)
)
STORE_WAITS = Counter("mesh_store_waits_total", "Times a reader waited for its store", ("store",))
STORE_CONFLICTS = Counter(
    "mesh_store_conflicts_total", "Rounds done again because another worker was quicker", ("store",)
)
HANDLED = Counter(
    "mesh_handled_total",
    "Events that a reaction or effect has come past",
    ("handler", "outcome"),  # done, late, parked, skipped
)
HANDLER_WAITS = Counter(
    "mesh_handler_waits_total", "Times a reaction or effect was tried in vain", ("handler",)
)
HANDLER_PARKED = Gauge(
    "mesh_handler_parked_streams", "Streams that wait for an operator's decision", ("handler",)
)
TIMERS_SENT = Counter(
    "mesh_timers_sent_total", "Commands sent because their time had come", ("timer",)
)
MAILS = Counter(
    "mesh_mails_total",
    "Mails sent or dropped",
    ("mail", "outcome"),  # sent, erased, late, needless, put_off, unwanted
)
MAIL_TEMPLATES_FAILED = Counter(
    "mesh_mail_templates_failed_total",
    "Mails that said what is shipped, as what stands in its stead could not be filled in",
    ("mail", "language"),
)
