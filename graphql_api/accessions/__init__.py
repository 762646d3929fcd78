"""Resolving accession codes."""
