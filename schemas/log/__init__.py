"""What a record of the log is, whatever it says."""
