"""The servers of a local mesh, and how each is started."""
