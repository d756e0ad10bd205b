"""From a folder of shapes to new ones by one call."""
