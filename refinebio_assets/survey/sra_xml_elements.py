"""XML of the sequence archives and of E-utilities as a stream of whole elements, in bounded memory.

The documents come from strangers: one that declares entities is refused, since they may expand into each other without
end; an external DTD is never fetched.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, NoReturn
from xml.parsers import expat

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.survey.geo_stream import BLOCK_BYTES, BrokenStreamError, decompressed_blocks

LARGEST_UNIT_BYTES = 32 * 1024 * 1024
"""What one unit (a package, a run, a study) may take. The SRA's largest packages are below 1 MB."""

DEEPEST_ELEMENT = 64

_ELEMENT_BYTES = 400  # what an element takes in memory, apart from its text


@dataclass(slots=True)
class Element:
    """An element with its attributes, text and children; names are without namespace."""

    tag: str
    attributes: Mapping[str, str]
    line: int
    texts: list[str] = field(default_factory=list)
    children: list[Element] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its own text, white space at the ends taken off."""
        return "".join(self.texts).strip()

    def find(self, *path: str) -> Element | None:
        """The first child (of the first child …) with these names."""
        found: Element | None = self
        for tag in path:
            found = next((child for child in found.children if child.tag == tag), None) if found is not None else None
        return found

    def text_of(self, *path: str) -> str:
        """The text of :meth:`find`; empty if there is no such element."""
        found = self.find(*path)
        return found.text if found is not None else ""

    def all(self, *path: str) -> list[Element]:
        """All elements at the end of a path."""
        found = [self]
        for tag in path:
            found = [child for element in found for child in element.children if child.tag == tag]
        return found

    def attribute(self, name: str) -> str:
        """An attribute; empty if there is none."""
        return self.attributes.get(name, "").strip()


def read_elements(
    source: BinaryIO, units: Collection[str], *, name: str, roots: Collection[str] | None = None
) -> Iterator[Element]:
    """The outermost elements of some names, each when it is complete; what is around them is passed over.

    Args:
        source: A binary stream, plain or gzip.
        units: Names of the elements to give.
        name: What errors call the document.
        roots: Names that the root element may have; any if not given.

    Raises:
        MalformedFileError: The document is empty, no well-formed XML, has another root, declares entities, or is
            larger or deeper than :data:`LARGEST_UNIT_BYTES` and :data:`DEEPEST_ELEMENT` allow.
    """
    yield from _ElementReader(frozenset(units), name, None if roots is None else frozenset(roots)).read(source)


class _ElementReader:
    def __init__(self, units: frozenset[str], name: str, roots: frozenset[str] | None) -> None:
        self._units = units
        self._name = name
        self._roots = roots
        self._stack: list[Element] = []
        self._depth = 0
        self._bytes = 0
        self._finished: list[Element] = []
        self._expat = expat.ParserCreate()
        self._expat.buffer_text = True
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._characters
        self._expat.EntityDeclHandler = self._refuse_entity

    def read(self, source: BinaryIO) -> Iterator[Element]:
        blocks = decompressed_blocks(iter(lambda: source.read(BLOCK_BYTES), b""))
        empty = True
        try:
            for block in blocks:
                empty = False
                self._expat.Parse(block, False)  # noqa: FBT003 -- expat takes no keywords
                yield from self._taken()
            if empty:
                self._refuse("The file is empty.", line=1)
            self._expat.Parse(b"", True)  # noqa: FBT003
        except expat.ExpatError as error:
            self._refuse(f"This is no well-formed XML: {expat.errors.messages[error.code]}.", line=error.lineno)
        except (BrokenStreamError, OSError, LookupError, ValueError) as error:  # also encodings expat does not know
            self._refuse(f"The file cannot be read to its end: {error}.")
        yield from self._taken()

    def _taken(self) -> list[Element]:
        finished, self._finished = self._finished, []
        return finished

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        local = tag.rpartition(":")[2]
        if not self._depth and self._roots is not None and local not in self._roots:
            self._refuse(f"The document is {local}, not one of {', '.join(sorted(self._roots))}.")
        self._depth += 1
        if self._depth > DEEPEST_ELEMENT:
            self._refuse(f"Elements are nested more than {DEEPEST_ELEMENT} deep.")
        if not self._stack and local not in self._units:
            return
        self._count(_ELEMENT_BYTES + len(local) + sum(map(len, attributes.values())))
        element = Element(local, attributes, self._expat.CurrentLineNumber)
        if self._stack:
            self._stack[-1].children.append(element)
        self._stack.append(element)

    def _end(self, _: str) -> None:
        self._depth -= 1
        if not self._stack:
            return
        element = self._stack.pop()
        if not self._stack:
            self._finished.append(element)
            self._bytes = 0

    def _characters(self, text: str) -> None:
        if self._stack:
            self._count(len(text))
            self._stack[-1].texts.append(text)

    def _count(self, size: int) -> None:
        self._bytes += size
        if self._bytes > LARGEST_UNIT_BYTES:
            self._refuse(f"An element has more than {LARGEST_UNIT_BYTES // 2**20} MiB of text.")

    def _refuse_entity(self, *_: object) -> None:
        self._refuse("The document declares entities, which these archives do not do; it is not read.")

    def _refuse(self, message: str, *, line: int | None = None) -> NoReturn:
        at = self._expat.CurrentLineNumber if line is None else line
        raise MalformedFileError(message, path=self._name, line=at, remedy="Download the file again.")
