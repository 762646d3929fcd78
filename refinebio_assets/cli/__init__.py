"""The command line: one module per group of commands. ``main`` knows them all, ``common`` is what they share."""
