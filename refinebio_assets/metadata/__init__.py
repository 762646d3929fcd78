"""Metadata that others made of public samples: ontologies, attributes, keywords. Files become records here."""
