"""The source design's table `notifications` (NO-11), a row a channel: a view over notifications and
the batches in which they were sent, which are two projections.
"""

from __future__ import annotations

# What became of one channel: its batch says so, or it never was in one.
STATUS = "coalesce(batch.status, CASE WHEN each.reason = '' THEN 'waiting' ELSE 'withheld' END)"
# Either may be built first, and a changed one takes the views over it away, so both (re)make this
# one as soon as both are there.
NOTIFICATIONS_VIEW = f"""
    DO $make$ BEGIN
    IF to_regclass('reads.notifications') IS NOT NULL
       AND to_regclass('reads.notification_batches') IS NOT NULL THEN
        CREATE OR REPLACE VIEW reads.sent_notifications AS
        SELECT own.key || '/' || each.channel AS id, own.user_id, own.type, each.channel,
               {STATUS} AS status,
               CASE WHEN batch.status = 'sent' THEN batch.settled_at END AS sent_at
        FROM reads.notifications AS own
        CROSS JOIN LATERAL unnest(own.channels, own.batch_ids, own.reasons)
            AS each (channel, batch_id, reason)
        LEFT JOIN reads.notification_batches AS batch ON batch.key = each.batch_id;
    END IF;
    END $make$
"""  # noqa: S608 - our own names
