"""The journal: the log in Postgres, by stream and by command."""
