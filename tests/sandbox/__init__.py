"""The bundled authority, tried by clients it has nothing in common with."""
