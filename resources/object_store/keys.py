"""Keys of stored objects: slash-separated names, the same in a folder and in S3."""

from __future__ import annotations

from refinebio_assets.domain.errors import InputError
from resources.object_store.temporary import is_temporary

MAX_SEGMENT_BYTES = 200
"""A file name may have 255 bytes on Linux; the rest is left for the temporary name of a file being written."""

MAX_KEY_BYTES = 900
"""S3 allows 1,024 bytes for the whole key; the rest is left for the store's own prefix."""


def check_key(key: str) -> str:
    """Give the key back if it is one.

    Raises:
        InputError: It is empty, absolute, too long, or has an empty, relative, unprintable or temporary segment.
    """
    fault = _fault(key)
    if fault is not None:
        message = f"{key!r} is no key of the object store: {fault}."
        raise InputError(message)
    return key


def check_prefix(prefix: str) -> str:
    """Give the prefix back without trailing slash; the empty prefix is the whole store.

    Raises:
        InputError: It is not empty and would not be a key.
    """
    bare = prefix.removesuffix("/")
    return check_key(bare) if bare else ""


def _fault(key: str) -> str | None:
    if not key:
        return "it is empty"
    if "\\" in key or not key.isprintable():
        return "it holds a backslash or an unprintable character"
    if len(key.encode()) > MAX_KEY_BYTES:
        return f"it is longer than {MAX_KEY_BYTES} bytes"
    faults = (_segment_fault(segment) for segment in key.split("/"))
    return next((fault for fault in faults if fault), None)


def _segment_fault(segment: str) -> str | None:
    if not segment:
        return "it starts or ends with a slash or has two in a row"
    if segment in {".", ".."}:
        return f"{segment!r} is not allowed in it"
    if len(segment.encode()) > MAX_SEGMENT_BYTES:
        return f"a segment is longer than {MAX_SEGMENT_BYTES} bytes"
    if is_temporary(segment):
        return f"{segment!r} is the name of a file being written"
    return None
