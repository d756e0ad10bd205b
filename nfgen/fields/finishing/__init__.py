"""From the surface of a field to a mesh for other programs."""
