"""Organisms and platforms."""
