"""Counts over the whole catalog."""
