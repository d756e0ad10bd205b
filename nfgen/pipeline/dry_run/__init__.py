"""What a command would take: each stage is tried on a little, and the rest is calculated."""
