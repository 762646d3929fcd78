"""Transcriptome indices."""
