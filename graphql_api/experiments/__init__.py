"""Experiments (studies, series)."""
