"""Reading a file of vehicles: rows out of bytes of any quality."""
