"""Sensors find new experiments, carry surveyed ones to expression, and try again what failed for a passing reason."""
