"""Organism-wide artefacts: quantile normalisation, QN targets and compendia."""
