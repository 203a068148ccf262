"""Who asks for which item of their campus, and what comes of it."""
