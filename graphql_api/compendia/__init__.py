"""Organism-wide artefacts: QN targets and compendia."""
