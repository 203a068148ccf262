"""What may happen: one pure decider per context; `writer/` is the runtime that appends."""
