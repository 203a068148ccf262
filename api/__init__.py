"""How the mesh is asked over HTTP; thin."""
