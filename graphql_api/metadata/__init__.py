"""Ontology terms, and the attributes and keywords that contributions give samples."""
