"""The whole path on a built-in family, and a page of what came out."""
