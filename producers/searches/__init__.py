"""What may happen to saved searches and to what their alerts find."""
