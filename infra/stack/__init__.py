"""The local stack: real servers and the mesh's own processes, kept under one folder."""
