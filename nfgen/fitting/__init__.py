"""Shapes to fields: many at once, by one batched optimisation."""
