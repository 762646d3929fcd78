"""The ledger: the state of every accession, and why."""
