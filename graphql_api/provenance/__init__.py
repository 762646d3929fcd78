"""Processors and computational results."""
