"""Pictures of meshes and fields, and charts."""
