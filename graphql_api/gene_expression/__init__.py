"""Genes of any samples, read without the rest of their expression."""
