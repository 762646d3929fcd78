"""GEO's MINiML (XML), read as a stream into the same entities as SOFT.

Format: https://www.ncbi.nlm.nih.gov/geo/info/MINiML.html. Attributes get the names they have in SOFT
(``characteristics_ch1``, ``hyb_protocol``), so that whatever reads a family need not know where it came from. A
document with a DOCTYPE is refused: MINiML has none, and entities that expand into each other come in one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NoReturn
from xml.parsers import expat

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.survey.geo_family import PLATFORM_MEMBERS, DataTable, EntityKind, GeoEntity, SoftFamily
from refinebio_assets.survey.geo_stream import BLOCK_BYTES, BrokenStreamError, decompressed_blocks

LARGEST_ENTITY_BYTES = 64 * 1024 * 1024
"""What one entity may take, apart from its data table."""
DEEPEST_ELEMENT = 32

_ROOT = "MINiML"
_ENTITIES = {kind.capitalize(): kind for kind in (EntityKind.SERIES, EntityKind.PLATFORM, EntityKind.SAMPLE)}
_PEOPLE = "Contributor"
_TABLE_CONTENT = frozenset({"Internal-Data"})
_SOFT_NAMES = {
    "accession": "geo_accession",
    "source": "source_name",
    "hybridization_protocol": "hyb_protocol",
    "supplementary_data": "supplementary_file",
}
_DATES = {
    "Submission-Date": "submission_date",
    "Release-Date": "status",
    "Last-Update-Date": "last_update_date",
}
_REFERENCES = {
    "Platform-Ref": "platform_id",
    "Sample-Ref": "sample_id",
    "Series-Ref": "series_id",
}
_PLATFORM_MEMBERS = {
    (EntityKind.PLATFORM.capitalize(), tag) for tag, name in _REFERENCES.items() if name in PLATFORM_MEMBERS
}
_ELEMENT_BYTES = 400  # what an element takes in memory, apart from its text
_BLANKS = re.compile(r"\s+")


@dataclass(slots=True)
class _Element:
    """An element with its text and its children, for the short time until its entity is finished."""

    tag: str
    attributes: Mapping[str, str]
    line: int
    texts: list[str] = field(default_factory=list)
    children: list[_Element] = field(default_factory=list)
    rows: int = 0

    def text(self) -> str:
        """Its own text, paragraphs kept, other white space made one blank."""
        lines = (_BLANKS.sub(" ", line).strip() for line in "".join(self.texts).splitlines())
        return "\n".join(filter(None, lines))

    def child(self, tag: str) -> _Element | None:
        return next((child for child in self.children if child.tag == tag), None)

    def text_of(self, *path: str) -> str:
        found: _Element | None = self
        for tag in path:
            found = found.child(tag) if found is not None else None
        return found.text() if found is not None else ""


def read_miniml_family(source: Path | BinaryIO) -> SoftFamily:
    """Read a MINiML document.

    Args:
        source: A file or a binary stream, plain or gzip.

    Returns:
        Series, platforms and samples with attributes named as in SOFT. Dates are ISO dates here. Data tables are
        passed over; of those in the document the rows are counted, of those beside it the announced number is taken.

    Raises:
        MalformedFileError: The document is empty, no well-formed XML, no MINiML, has a DOCTYPE, or is larger or
            deeper than :data:`LARGEST_ENTITY_BYTES` and :data:`DEEPEST_ELEMENT` allow.
    """
    if not isinstance(source, Path):
        return _MinimlParser(str(getattr(source, "name", "MINiML stream"))).parse(source)
    with source.open("rb") as file:
        return _MinimlParser(str(source)).parse(file)


class _MinimlParser:
    def __init__(self, name: str) -> None:
        self._name = name
        self._stack: list[_Element] = []
        self._bytes = 0
        self._people: dict[str, _Element] = {}
        self._finished: list[_Element] = []
        self._expat = expat.ParserCreate()
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._characters
        self._expat.StartDoctypeDeclHandler = self._refuse_doctype
        self._expat.buffer_text = True

    def parse(self, file: BinaryIO) -> SoftFamily:
        blocks = decompressed_blocks(iter(lambda: file.read(BLOCK_BYTES), b""))
        empty = True
        try:
            for block in blocks:
                empty = False
                self._expat.Parse(block, False)  # noqa: FBT003 -- expat takes no keywords
            if empty:
                self._refuse("The file is empty.", line=1)
            self._expat.Parse(b"", True)  # noqa: FBT003
        except expat.ExpatError as error:
            self._refuse(f"This is no well-formed XML: {expat.errors.messages[error.code]}.", line=error.lineno)
        except (
            BrokenStreamError,
            OSError,
            LookupError,
            ValueError,
        ) as error:  # also encodings that expat does not know
            self._refuse(f"The file cannot be read to its end: {error}.")
        return SoftFamily(path=self._name, entities=tuple(self._entities()))

    def _entities(self) -> Iterator[GeoEntity]:
        """The entities, each once; contacts are resolved now, since people may be described anywhere."""
        seen: dict[tuple[EntityKind, str], GeoEntity] = {}
        for element in self._finished:
            entity = _Translation(element, self._people).entity()
            seen.setdefault((entity.kind, entity.name), entity)
        yield from seen.values()

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if not self._stack and name != _ROOT:
            self._refuse(f"The document is {name}, not {_ROOT}.")
        if len(self._stack) >= DEEPEST_ELEMENT:
            self._refuse(f"Elements are nested more than {DEEPEST_ELEMENT} deep.")
        self._count(_ELEMENT_BYTES + len(name) + sum(map(len, attributes.values())))
        element = _Element(name, attributes, self._expat.CurrentLineNumber)
        if len(self._stack) > 1 and (self._stack[-1].tag, name) not in _PLATFORM_MEMBERS:
            self._stack[-1].children.append(element)
        self._stack.append(element)

    def _end(self, _: str) -> None:
        element = self._stack.pop()
        if len(self._stack) != 1:
            return
        self._bytes = 0
        if element.tag == _PEOPLE:
            self._people[element.attributes.get("iid", "")] = element
        elif element.tag in _ENTITIES:
            self._finished.append(element)

    def _characters(self, text: str) -> None:
        if not self._stack:
            return
        element = self._stack[-1]
        if element.tag in _TABLE_CONTENT:
            element.rows += text.count("\n")
            return
        self._count(len(text))
        element.texts.append(text)

    def _count(self, size: int) -> None:
        self._bytes += size
        if self._bytes > LARGEST_ENTITY_BYTES:
            self._refuse(f"An entity has more than {LARGEST_ENTITY_BYTES // 2**20} MiB of text.")

    def _refuse_doctype(self, *_: object) -> None:
        self._refuse("The document has a DOCTYPE, which MINiML has not; it is not read.")

    def _refuse(self, message: str, *, line: int | None = None) -> NoReturn:
        at = self._expat.CurrentLineNumber if line is None else line
        raise MalformedFileError(message, path=self._name, line=at, remedy="Download the file again.")


class _Translation:
    """One element as an entity with attributes named as in SOFT."""

    def __init__(self, element: _Element, people: Mapping[str, _Element]) -> None:
        self._element = element
        self._kind = _ENTITIES[element.tag]
        self._people = people
        self._attributes: dict[str, list[str]] = {}
        self._columns: dict[str, str] = {}
        self._table: DataTable | None = None

    def entity(self) -> GeoEntity:
        special: dict[str, Callable[[_Element], None]] = {
            "Status": self._status,
            "Channel": self._channel,
            "Organism": self._organism,
            "Relation": self._relation,
            "Data-Table": self._data_table,
            "Contact-Ref": self._contact,
            "Contributor-Ref": self._contributor,
            "Instrument-Model": self._instrument,
            **dict.fromkeys(_REFERENCES, self._reference),
        }
        for child in self._element.children:
            special.get(child.tag, self._plain)(child)
        name = self._attributes.get("geo_accession", [""])[0] or self._element.attributes.get("iid", "")
        return GeoEntity(
            kind=self._kind,
            name=name,
            line=self._element.line,
            attributes={key: tuple(values) for key, values in self._attributes.items()},
            column_descriptions=self._columns,
            table=self._table,
        )

    def _add(self, name: str, value: str) -> None:
        if value:
            self._attributes.setdefault(name, []).append(value)

    def _plain(self, element: _Element, *, suffix: str = "") -> None:
        name = element.tag.lower().replace("-", "_")
        self._add(_SOFT_NAMES.get(name, name) + suffix, element.text())

    def _status(self, element: _Element) -> None:
        for tag, name in _DATES.items():
            value = element.text_of(tag)
            self._add(name, f"Public on {value}" if value and name == "status" else value)

    def _channel(self, element: _Element) -> None:
        suffix = f"_ch{element.attributes.get('position', '1')}"
        for child in element.children:
            if child.tag == "Organism":
                self._organism(child, suffix=suffix)
            elif child.tag == "Characteristics":
                tag = _BLANKS.sub(" ", child.attributes.get("tag", "")).strip()
                self._add("characteristics" + suffix, f"{tag}: {child.text()}" if tag else child.text())
            else:
                self._plain(child, suffix=suffix)

    def _organism(self, element: _Element, *, suffix: str = "") -> None:
        self._add("organism" + suffix, element.text())
        self._add("taxid" + suffix, element.attributes.get("taxid", ""))

    def _relation(self, element: _Element) -> None:
        self._add("relation", f"{element.attributes.get('type', '')}: {element.attributes.get('target', '')}")

    def _instrument(self, element: _Element) -> None:
        self._add("instrument_model", element.text_of("Predefined") or element.text_of("Other") or element.text())

    def _reference(self, element: _Element) -> None:
        self._add(_REFERENCES[element.tag], element.attributes.get("ref", ""))

    def _contact(self, element: _Element) -> None:
        person = self._people.get(element.attributes.get("ref", ""))
        if person is not None:
            self._add("contact_name", _name(person))
            self._add("contact_institute", person.text_of("Organization"))
            self._add("contact_country", person.text_of("Address", "Country"))

    def _contributor(self, element: _Element) -> None:
        person = self._people.get(element.attributes.get("ref", ""))
        if person is not None:
            self._add("contributor", _name(person))

    def _data_table(self, element: _Element) -> None:
        columns = [child for child in element.children if child.tag == "Column"]
        names = tuple(column.text_of("Name") for column in columns)
        self._columns = {column.text_of("Name"): column.text_of("Description") for column in columns}
        data = element.child("External-Data") or element.child("Internal-Data")
        announced = data.attributes.get("rows", "") if data is not None else ""
        counted = data.rows if data is not None else 0
        rows = int(announced) if announced.isascii() and announced.isdigit() and len(announced) < 12 else counted
        self._table = DataTable(columns=names, rows=rows)


def _name(person: _Element) -> str:
    """First, middle and last name with commas between them, as SOFT has it."""
    parts = [person.text_of("Person", tag) for tag in ("First", "Middle", "Last")]
    return ",".join(parts) if any(parts) else ""
