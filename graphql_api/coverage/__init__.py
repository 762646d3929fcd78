"""How much of the samples' metadata is harmonised."""
