"""Commands that show what a machine of development has sent to nobody."""
