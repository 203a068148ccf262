"""Saved searches, what their alerts have found, and the queries that find it."""
