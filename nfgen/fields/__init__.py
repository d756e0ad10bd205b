"""Fields: SDF MLPs, their specs, sets of them, and what can be computed from their weights."""
