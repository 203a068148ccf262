"""The writer: the one process that may append to a partition, and how it decides."""
