"""The vocabulary of the platform: accessions, organisms, technologies, sample states, records.

Imports nothing of ours.
"""
