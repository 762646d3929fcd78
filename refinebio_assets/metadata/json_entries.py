"""Reading a large JSON array or object entry by entry, in memory for one entry (MetaSRA's file has hundreds of MB)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import TextIOBase
from pathlib import Path
from typing import Any, NamedTuple

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.metadata.compressed import open_text

CHUNK_CHARACTERS = 1 << 20
"""Characters read at a time."""

LONGEST_ENTRY_CHARACTERS = 64 << 20
"""Longest entry that is read; real ones are below 1 MB, and a file that never ends one is damaged."""

_NUMBER_GOES_ON = 8
"""Characters that must follow a value before it counts as read: of ``1.5e-07`` the decoder takes ``1`` if cut there."""

_BLANK = " \t\n\r"


class JsonEntry(NamedTuple):
    """One entry: ``key`` is its index in an array (from 0) or its name in an object."""

    key: int | str
    value: Any


def json_entries(path: Path) -> Iterator[JsonEntry]:
    """The entries of the array or object that a JSON file holds; plain, gzip or Zstandard.

    Raises:
        MalformedFileError: The file is no JSON array or object, is damaged, or ends in the middle. Entries before that
            place were given already.
    """
    with open_text(path) as file:
        reader = _Reader(file, path)
        opening = reader.mark("[{")
        named = opening == "{"
        closing = "}" if named else "]"
        if reader.skip_if(closing):
            return
        for index in _count():
            key = _name(reader) if named else index
            yield JsonEntry(key, reader.value())
            if reader.mark("," + closing) == closing:
                break
        reader.expect_end()


def is_array(path: Path) -> bool:
    """Whether a JSON file holds an array.

    Raises:
        MalformedFileError: It holds neither an array nor an object.
    """
    with open_text(path) as file:
        return _Reader(file, path).mark("[{") == "["


def _count() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


def _name(reader: _Reader) -> str:
    name = reader.value()
    if not isinstance(name, str):
        message = "The name of an entry is no text."
        raise reader.malformed(message)
    reader.mark(":")
    return name


class _Reader:
    def __init__(self, file: TextIOBase, path: Path) -> None:
        self._file = file
        self._path = path
        self._decode = json.JSONDecoder().raw_decode
        self._buffer = ""
        self._position = 0
        self._line = 1
        self._at_end = False

    def mark(self, allowed: str) -> str:
        """The next character that is no blank, which must be one of those allowed; it is passed over."""
        found = self._peek()
        if not found or found not in allowed:
            wanted = " or ".join(repr(one) for one in allowed)
            message = f"Here should be {wanted}, not {found!r}." if found else "The JSON ends in the middle."
            raise self.malformed(message)
        self._position += 1
        return found

    def skip_if(self, character: str) -> bool:
        """Pass over the next character that is no blank if it is this one."""
        return self._peek() == character and bool(self.mark(character))

    def expect_end(self) -> None:
        """Refuse anything after the end of the array or object."""
        if found := self._peek():
            message = f"After the end of the JSON stands {found!r}."
            raise self.malformed(message)

    def value(self) -> Any:
        """The next JSON value; more is read until all of it is there."""
        self._peek()
        wanted = CHUNK_CHARACTERS
        while True:
            try:
                value, end = self._decode(self._buffer, self._position)
            except json.JSONDecodeError as error:
                if self._at_end or len(self._buffer) - self._position > LONGEST_ENTRY_CHARACTERS:
                    self._position = min(error.pos, len(self._buffer))
                    message = f"This is no JSON: {error.msg}."
                    raise self.malformed(message) from error
            except RecursionError as error:
                message = "The JSON is nested too deeply."
                raise self.malformed(message) from error
            else:
                if len(self._buffer) - end >= _NUMBER_GOES_ON or self._at_end:
                    self._position = end
                    return value
            self._read(wanted)
            wanted *= 2

    def malformed(self, message: str) -> MalformedFileError:
        """An error at the present place."""
        line = self._line + self._buffer.count("\n", 0, self._position)
        return MalformedFileError(message, path=self._path, line=line, remedy="Entries before this line were read.")

    def _peek(self) -> str:
        while True:
            while self._position < len(self._buffer) and self._buffer[self._position] in _BLANK:
                self._position += 1
            if self._position < len(self._buffer):
                return self._buffer[self._position]
            if self._at_end:
                return ""
            self._read(CHUNK_CHARACTERS)

    def _read(self, characters: int) -> None:
        self._line += self._buffer.count("\n", 0, self._position)
        more = self._file.read(characters)
        self._at_end = not more
        self._buffer = self._buffer[self._position :] + more
        self._position = 0
