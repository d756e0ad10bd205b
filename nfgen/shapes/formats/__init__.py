"""Readers of files from elsewhere, checked against limits before memory is taken."""
