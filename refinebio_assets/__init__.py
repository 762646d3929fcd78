"""The Dagster code location of refinebio and the domain behind it.

Pure modules (``domain``, ``survey``, ``rna_seq`` …) take arrays, frames, paths or bytes and return values: they can be
called from a notebook. Only ``assets.py`` files, ``definitions.py`` and ``partitions.py`` know Dagster.
"""

__version__ = "0.1.0"
