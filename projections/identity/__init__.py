"""Who people are and the sessions they hold, for reading."""
