"""Values that many messages hold."""
