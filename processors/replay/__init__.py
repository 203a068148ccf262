"""Replay: the next generation of a read model built from the log, compared and switched to."""
