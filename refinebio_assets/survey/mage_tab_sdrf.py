"""The SDRF of a MAGE-TAB document: from sources over extracts and assays to files, row by row.

Nothing is dropped: columns of the same name stay apart, in order, each attribute at the node it follows; what a file
has beyond the specification (MAGE-TAB 1.1) is kept and told in ``warnings``, with its line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.survey.mage_tab_text import (
    BRACKETS,
    Line,
    MageTabWarning,
    header_key,
    physical_lines,
    read_lines,
    refuse_other_content,
)

_BLANK = frozenset({"", "->"})  # MAGE-TAB writes "->" where a path through the table has no node

_NODES = (
    "Source Name",
    "Sample Name",
    "Extract Name",
    "Labeled Extract Name",
    "Hybridization Name",
    "Assay Name",
    "Scan Name",
    "Normalization Name",
    "Data Transformation Name",
    "Protocol REF",
    "Image File",
    "Array Data File",
    "Array Data Matrix File",
    "Derived Array Data File",
    "Derived Array Data Matrix File",
    "Raw Data File",
    "Derived Data File",
)
_ATTRIBUTES = (
    "Material Type",
    "Label",
    "Array Design REF",
    "Array Design File",
    "Technology Type",
    "Provider",
    "Performer",
    "Description",
    "Date",
)
_BRACKETED = {
    "characteristics": "Characteristics",
    "characteristic": "Characteristics",
    "factorvalue": "Factor Value",
    "factorvalues": "Factor Value",
    "parametervalue": "Parameter Value",
    "parametervalues": "Parameter Value",
    "comment": "Comment",
    "comments": "Comment",
    "unit": "Unit",
    "units": "Unit",
}
_UNIT = "Unit"
_TERM_SOURCE = "Term Source REF"
_TERM_ACCESSION = "Term Accession Number"
_OTHER = "Other"
_PLAIN_COLUMNS = {header_key(name): name for name in (*_NODES, *_ATTRIBUTES, _TERM_SOURCE, _TERM_ACCESSION, _UNIT)}
_NODE_TYPES = frozenset(_NODES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """What an SDRF says about a node.

    Attributes:
        kind: ``Characteristics``, ``Factor Value``, ``Parameter Value``, ``Comment``, ``Label`` and the like; ``Other``
            for columns outside the specification.
        name: What is in the brackets; the header of other columns.
        value: The cell.
        column: 1-based position in the table.
        unit: The unit that follows; ``unit_kind`` is what its brackets say (``time unit``).
        term_source: The ontology that follows, and the term's accession in it.
    """

    kind: str
    name: str
    value: str
    column: int
    unit: str = ""
    unit_kind: str = ""
    term_source: str = ""
    term_accession: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A material, assay, file or protocol application on the way of a row, with the attributes that follow it."""

    type: str
    name: str
    column: int
    attributes: tuple[Attribute, ...] = ()
    term_source: str = ""
    term_accession: str = ""

    def comment(self, name: str) -> tuple[str, ...]:
        """The values of the node's comments of a name."""
        key = header_key(name)
        return tuple(each.value for each in self.attributes if each.kind == "Comment" and header_key(each.name) == key)


@dataclass(frozen=True, slots=True, kw_only=True)
class SdrfRow:
    """A row: the way from a source to files.

    Attributes:
        line: 1-based line in the file.
        nodes: In the order of the columns.
        cells: All cells as they stand, one per column.
        is_irregular: The line has fewer or more cells than the header.
    """

    line: int
    nodes: tuple[Node, ...]
    cells: tuple[str, ...]
    is_irregular: bool = False

    def of(self, *types: str) -> tuple[Node, ...]:
        """The named nodes of some types, in the order of the columns."""
        return tuple(node for node in self.nodes if node.type in types and node.name)

    def attributes(self, *kinds: str) -> tuple[Attribute, ...]:
        """The attributes of some kinds, of all nodes."""
        return tuple(each for node in self.nodes for each in node.attributes if each.kind in kinds)

    def comment(self, name: str) -> tuple[str, ...]:
        """The values of the comments of a name, of all nodes."""
        return tuple(value for node in self.nodes for value in node.comment(name) if value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdrf:
    """A Sample and Data Relationship Format file."""

    path: str
    headers: tuple[str, ...]
    rows: tuple[SdrfRow, ...]
    warnings: tuple[MageTabWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class _Column:
    position: int
    kind: str
    name: str


def parse_sdrf(text: str, *, path: str = "sdrf.txt") -> Sdrf:
    """Read an SDRF file.

    Rows with fewer cells than the header are filled up, cells beyond it are told in a warning; both are marked.

    Args:
        text: The file (:func:`~refinebio_assets.survey.mage_tab_text.decode_mage_tab` decodes bytes).
        path: Its name, for errors and warnings.

    Raises:
        MalformedFileError: The file is empty, binary, an HTML page, has no header of an SDRF or no row, or most of its
            rows have not as many cells as the header.
    """
    refuse_other_content(text, path)
    warnings: list[MageTabWarning] = []
    lines = physical_lines(text)
    header = next(read_lines(lines, path=path, begins_record=lambda _: False, warnings=warnings), None)
    columns = [] if header is None else list(map(_column, range(len(header.cells)), header.cells))
    if header is None or not any(column.kind in _NODE_TYPES for column in columns):
        message = "The first line is no header of an SDRF: it names no source, sample, extract, assay or file."
        raise MalformedFileError(message, path=path, line=header.number if header else 1)
    headers = _without_blank_end(header.cells)
    columns = columns[: len(headers)]
    warnings += _odd_columns(columns, path, header.number)
    records = read_lines(
        lines,
        path=path,
        first=header.number,
        width=len(header.cells),
        begins_record=lambda cells: len(cells) >= len(headers),
        warnings=warnings,
    )
    rows = tuple(_row(record, columns, path, warnings) for record in records)
    _refuse_broken_table(rows, path, header.number)
    return Sdrf(path=path, headers=headers, rows=rows, warnings=tuple(sorted(warnings, key=lambda each: each.line)))


def _without_blank_end(cells: Sequence[str]) -> tuple[str, ...]:
    end = len(cells)
    while end and not cells[end - 1]:
        end -= 1
    return tuple(cells[:end])


@lru_cache(maxsize=4096)
def _column(position: int, header: str) -> _Column:
    match = BRACKETS.fullmatch(header)
    kind = _BRACKETED.get(header_key(match.group(1))) if match else None
    if match is not None and kind is not None:
        return _Column(position, kind, match.group(2))
    plain = _PLAIN_COLUMNS.get(header_key(header))
    return _Column(position, plain, "") if plain else _Column(position, _OTHER, header)


def _odd_columns(columns: Sequence[_Column], path: str, line: int) -> Iterator[MageTabWarning]:
    for column in columns:
        if column.kind == _OTHER:
            told = f"Column {column.position + 1} ({column.name!r}) is not in the specification; it is kept as it is."
            yield MageTabWarning(path, line, told)
    if columns and columns[0].kind not in _NODE_TYPES:
        yield MageTabWarning(path, line, "The first column names no material, assay or file.")


def _refuse_broken_table(rows: Sequence[SdrfRow], path: str, header_line: int) -> None:
    if not rows:
        message = "The table has a header and no row."
        raise MalformedFileError(message, path=path, line=header_line)
    irregular = [row for row in rows if row.is_irregular]
    if 2 * len(irregular) > len(rows):
        message = f"{len(irregular)} of {len(rows)} rows have not as many cells as the header."
        raise MalformedFileError(
            message, path=path, line=irregular[0].line, remedy="Fetch the file again from the archive."
        )


def _row(line: Line, columns: Sequence[_Column], path: str, warnings: list[MageTabWarning]) -> SdrfRow:
    width = len(columns)
    beyond = [cell for cell in line.cells[width:] if cell]
    missing = width - len(line.cells)
    if beyond:
        shown = ", ".join(map(repr, beyond))
        warnings.append(MageTabWarning(path, line.number, f"{len(beyond)} cells stand beyond the header: {shown}."))
    elif missing > 0:
        told = f"The line has {len(line.cells)} cells, the header {width}; the missing ones are read as blank."
        warnings.append(MageTabWarning(path, line.number, told))
    cells = line.cells[:width] + ("",) * max(missing, 0)
    return SdrfRow(
        line=line.number,
        nodes=_nodes(columns, cells),
        cells=cells + tuple(beyond),
        is_irregular=bool(beyond) or missing > 0,
    )


@dataclass(slots=True)
class _OpenNode:
    """A node while its attributes are being read. ``last_is_unit``: terms now belong to the last unit."""

    node: Node
    attributes: list[Attribute] = field(default_factory=list)
    last_is_unit: bool = False

    def add(self, column: _Column, value: str) -> None:
        if column.kind in {_TERM_SOURCE, _TERM_ACCESSION}:
            if not self.last_is_unit:  # the ontology term of a unit says no more than the unit
                self._add_term(column.kind, value)
        elif column.kind == _UNIT and self.attributes and not self.attributes[-1].unit:
            self.attributes[-1] = replace(self.attributes[-1], unit=value, unit_kind=column.name)
            self.last_is_unit = True
        else:
            attribute = Attribute(kind=column.kind, name=column.name, value=value, column=column.position + 1)
            self.attributes.append(attribute)
            self.last_is_unit = False

    def _add_term(self, kind: str, value: str) -> None:
        if self.attributes and kind == _TERM_SOURCE:
            self.attributes[-1] = replace(self.attributes[-1], term_source=value)
        elif self.attributes:
            self.attributes[-1] = replace(self.attributes[-1], term_accession=value)
        elif kind == _TERM_SOURCE:
            self.node = replace(self.node, term_source=value)
        else:
            self.node = replace(self.node, term_accession=value)

    def close(self) -> Node:
        filled = (each for each in self.attributes if each.value or each.unit or each.term_accession)
        return replace(self.node, attributes=tuple(filled))


def _nodes(columns: Sequence[_Column], cells: Sequence[str]) -> tuple[Node, ...]:
    opened = [_OpenNode(Node(type="", name="", column=0))]
    for column, cell in zip(columns, cells, strict=True):
        value = "" if cell in _BLANK else cell
        if column.kind in _NODE_TYPES:
            opened.append(_OpenNode(Node(type=column.kind, name=value, column=column.position + 1)))
        else:
            opened[-1].add(column, value)
    closed = (each.close() for each in opened)
    return tuple(node for node in closed if node.name or node.attributes)
