"""The object store: where every artefact lies, a local folder or ``s3://bucket/prefix``, behind one interface."""

from __future__ import annotations

from resources.object_store.store import ObjectStore, StoredObject

__all__ = ["ObjectStore", "StoredObject"]
