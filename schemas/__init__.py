"""The language of the system: commands, events, topics, envelope and value types."""
