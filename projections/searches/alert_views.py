"""The table `search_alerts` as the source design names its columns (SE-14): a view over alerts and
what they have found, which are two projections.
"""

from __future__ import annotations

# Either may be built first, and a changed one takes the views over it away, so both (re)make this
# one as soon as both are there.
SEARCH_ALERTS_VIEW = """
    DO $make$ BEGIN
    IF to_regclass('reads.saved_searches') IS NOT NULL
       AND to_regclass('reads.alert_matches') IS NOT NULL THEN
        CREATE OR REPLACE VIEW reads.search_alerts AS
        SELECT one.id, one.saved_search_id, own.key AS user_id, one.frequency,
               (SELECT max(found.notified_at) FROM reads.alert_matches AS found
                WHERE found.alert_id = one.id) AS last_sent_at,
               one.frequency <> 'off' AS active
        FROM reads.saved_searches AS own CROSS JOIN LATERAL
            unnest(own.alert_ids, own.alert_searches, own.frequencies)
            AS one (id, saved_search_id, frequency);
    END IF;
    END $make$
"""
