"""Alembic migrations of the catalog.

``python -m resources.catalog.migrations "what changes"`` writes the next revision from the difference between the
tables of :mod:`resources.catalog.models` and a catalog migrated so far; then set :data:`HEAD_REVISION` to it.
"""

HEAD_REVISION = "0004"
"""The newest revision. Known here so that opening an up-to-date catalog needs neither Alembic nor its files."""
