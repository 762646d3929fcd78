"""Reading mapping tables: refine.bio's gene indices, GEO's platforms, Brainarray's mappings, GTF, plain tables.

Which of them a file is, and which column has what, is told by its content.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.microarray.compressed_bytes import BROKEN_FILE_REMEDY, Source, path_of, read_content
from refinebio_assets.microarray.gene_identifiers import IdentifierType, pattern_shares, split_stable_version
from refinebio_assets.microarray.identifier_maps import SEPARATOR, IdentifierMap, MapOrigin, Names, names_in
from refinebio_assets.microarray.submitter_columns import plain_name
from refinebio_assets.microarray.submitter_text import TableText, read_table_text
from refinebio_assets.rna_seq.gene_annotation import GeneAnnotation, read_gtf
from refinebio_assets.survey.geo_family import EntityKind, SoftFamily
from refinebio_assets.survey.geo_soft import decode, read_soft_family

LARGEST_MAP_BYTES = 2**30
_PARQUET = b"PAR1"
_LOOKED_AT = 4000
_ROWS_LOOKED_AT = 500
_LEAST_FITTING = 0.5
"""A column is what its name says if so many of its cells look like it; GEO's have some cells of other kinds."""

_NAMES: Mapping[IdentifierType, tuple[str, ...]] = {
    IdentifierType.PROBE: (
        *("id", "idref", "probeid", "probe", "probename", "probeset", "probesetid", "probesetname", "targetid"),
        *("affyprobesetname", "reporteridentifier", "compositeelementidentifier", "affyid", "transcriptclusterid"),
    ),
    IdentifierType.ENSEMBL_GENE: (
        *("ensembl", "ensemblid", "ensemblgene", "ensemblgeneid", "ensgene", "genestableid", "genestableidversion"),
        *("geneid", "gene"),
    ),
    IdentifierType.SYMBOL: (
        *(
            "symbol",
            "genesymbol",
            "genesym",
            "hgncsymbol",
            "mgisymbol",
            "externalgenename",
            "genename",
            "unigenesymbol",
        ),
        "gene",
    ),
    IdentifierType.ENTREZ: (
        *("entrezid", "entrez", "entrezgene", "entrezgeneid", "geneid", "locuslink", "locuslinkid", "ncbigeneid"),
        "ncbigeneformerlyentrezgeneid",
    ),
    IdentifierType.UNIGENE: ("unigene", "unigeneid", "ugcluster"),
    IdentifierType.REFSEQ: (
        "refseq",
        "refseqid",
        "refseqtranscriptid",
        "refseqmrna",
        "refseqmrnaid",
        "refseqaccession",
    ),
    IdentifierType.GENBANK: ("genbank", "genbankaccession", "gbacc", "gblist", "accnum", "representativepublicid"),
    IdentifierType.ENSEMBL_TRANSCRIPT: ("ensembltrans", "ensembltranscriptid", "transcriptstableid", "transcriptid"),
}
"""Names of columns, in lower case without punctuation: Bioconductor, BioMart, GEO, ArrayExpress, Affymetrix, HGNC."""

_FREE = frozenset({IdentifierType.PROBE, IdentifierType.SYMBOL})
"""They may look like anything."""


@dataclass(slots=True)
class _Draft:
    """A table while it is read: columns as they are in the file."""

    names: Sequence[str]
    columns: list[list[str]]
    origin: MapOrigin
    notes: list[str] = field(default_factory=list)


def read_identifier_map(
    source: Source, *, organism: str = "", platform: str = "", release: str = "", name: str = ""
) -> IdentifierMap:
    """Read a mapping table: plain, gzip, bzip2 or xz.

    Understood are ``PROBEID ENSEMBL SYMBOL ENTREZID UNIGENE REFSEQ`` tables (refine.bio), GEO's platform tables (SOFT
    and ``.annot``), Brainarray's ``_mapping.txt``, GTF, tables with named columns (BioMart, refine.bio's probe maps),
    two columns without header, and tables that :meth:`IdentifierMap.to_bytes` made.

    Args:
        source: A file or its bytes.
        organism: Scientific name, where the file does not say it.
        platform: Which platform's table of a SOFT file is wanted, or what platform a table is of.
        release: Release of Ensembl or of the annotation, where the file does not say it.
        name: What messages call the table; the file's name if empty.

    Raises:
        InputError: There is no such file, or it has the tables of several platforms.
        MalformedFileError: It is none of these, or damaged.
    """
    content = read_content(source, largest=LARGEST_MAP_BYTES)
    path = path_of(source)
    origin = MapOrigin(
        format="table",
        source=name or (path.name if path else "table"),
        version=hashlib.sha256(content).hexdigest(),
        organism=organism,
        platform=platform,
        release=release,
    )
    if content.startswith(_PARQUET):
        return IdentifierMap.from_bytes(content, path)
    beginning = content[:_LOOKED_AT]
    if _is_gtf(beginning):
        return _from_gtf(content, path, origin)
    if _is_geo(beginning):
        return _finished(_from_geo(content, path, origin), path)
    return _finished(_from_table(content, path, origin), path)


def _is_gtf(beginning: bytes) -> bool:
    lines = [line for line in beginning.split(b"\n") if line.strip() and not line.startswith(b"#")]
    return bool(lines) and lines[0].count(b"\t") == 8 and b"gene_id" in lines[0]


def _is_geo(beginning: bytes) -> bool:
    return beginning.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in {b"^", b"!"}


def _from_gtf(content: bytes, path: Path | None, origin: MapOrigin) -> IdentifierMap:
    """Genes and transcripts with their names; pseudogenes are left out, as they are from RNA-seq."""
    with tempfile.NamedTemporaryFile(suffix=".gtf") as file:
        file.write(content)
        file.flush()
        try:
            annotation = read_gtf(Path(file.name))
        except InputError as error:
            raise MalformedFileError(error.message, path=path, line=error.line, remedy=error.remedy) from error
    return _genes_of(annotation, replace(origin, format="GTF"))


def _genes_of(annotation: GeneAnnotation, origin: MapOrigin) -> IdentifierMap:
    transcripts = annotation.transcripts.values()
    dropped = annotation.counts["pseudogene_lines"]
    return IdentifierMap(
        columns={
            IdentifierType.ENSEMBL_GENE: _texts([each.gene_id for each in transcripts]),
            IdentifierType.ENSEMBL_TRANSCRIPT: _texts([each.transcript_id for each in transcripts]),
            IdentifierType.SYMBOL: _texts([each.gene_name for each in transcripts]),
        },
        versions=_texts(versions) if any(versions := [each.gene_version for each in transcripts]) else None,
        origin=origin,
        notes=(f"{dropped} lines about pseudogenes were left out.",) if dropped else (),
    )


def _from_geo(content: bytes, path: Path | None, origin: MapOrigin) -> _Draft:
    found: list[tuple[str, tuple[str, ...], list[bytes]]] = []

    def on_table(kind: EntityKind, name: str, names: tuple[str, ...], rows: Iterator[bytes]) -> None:
        wanted = kind in {EntityKind.PLATFORM, EntityKind.ANNOTATION}
        if wanted and names and (not origin.platform or kind is EntityKind.ANNOTATION or name == origin.platform):
            found.append((name, names, list(rows)))

    try:
        family = read_soft_family(io.BytesIO(content), on_table=on_table)
    except InputError as error:
        raise MalformedFileError(error.message, path=path, line=error.line, remedy=error.remedy) from error
    if not found:
        message = f"The file has no table of platform {origin.platform}." if origin.platform else "No platform's table."
        raise MalformedFileError(message, path=path, remedy="Give the platform's SOFT or .annot file.")
    if len(found) > 1:
        message = f"The file has the tables of several platforms: {', '.join(name for name, _, _ in found[:5])}."
        raise InputError(message, path=path, remedy="Say which platform is wanted.")
    name, names, rows = found[0]
    cells = [[cell.strip().strip('"').strip() for cell in decode(row).split("\t")] for row in rows]
    return _Draft(names, _transposed(cells, len(names)), _geo_origin(origin, family, name))


def _geo_origin(origin: MapOrigin, family: SoftFamily, name: str) -> MapOrigin:
    """What the file says about the platform; ``.annot`` files have an entity of their own, without a name."""
    about = next(
        (each for each in family.entities if each.kind is EntityKind.ANNOTATION or each.name == name),
        family.entities[0],
    )
    return replace(
        origin,
        format="GEO platform",
        organism=origin.organism or about.first("platform_organism") or about.first("organism"),
        platform=origin.platform or about.first("platform") or name,
        release=origin.release or about.first("date") or about.first("last_update_date"),
    )


def _from_table(content: bytes, path: Path | None, origin: MapOrigin) -> _Draft:
    try:
        text = read_table_text(content)
    except InputError as error:
        raise MalformedFileError(error.message, path=path, line=error.line, remedy=error.remedy) from error
    header = text.cells(0)
    known = {name for names in _NAMES.values() for name in names}
    named = [plain_name(name) in known for name in header]
    if len(header) >= 2 and any(named) and len(text.lines) > 1:
        draft = _Draft(header, _transposed(_rows(text, 1, len(header), path), len(header)), origin)
        if {"probesetname", "affyprobesetname"} <= {plain_name(name) for name in header}:
            return _majority(draft)
        return draft
    if len(header) != 2:
        message = f"The columns have no names that are known ({', '.join(header)[:100]}), and they are {len(header)}."
        remedy = "Name them PROBEID, ENSEMBL, SYMBOL, ENTREZID, REFSEQ, UNIGENE, GENBANK, or give two columns."
        raise MalformedFileError(message, path=path, line=text.numbers[0], remedy=remedy)
    columns = _transposed(_rows(text, 0, 2, path), 2)
    return _Draft(
        _names_by_content(columns, path),
        columns,
        origin,
        ["The columns have no names; they were told apart by content."],
    )


def _rows(text: TableText, start: int, width: int, path: Path | None) -> list[list[str]]:
    rows = []
    for row in range(start, len(text.lines)):
        cells = text.cells(row)
        if len(cells) > width and any(cells[width:]):
            message = f"The line has {len(cells)} cells, the first one {width}."
            raise MalformedFileError(message, path=path, line=text.numbers[row], remedy=BROKEN_FILE_REMEDY)
        rows.append(cells)
    return rows


def _transposed(rows: Sequence[list[str]], width: int) -> list[list[str]]:
    return [[row[place] if place < len(row) else "" for row in rows] for place in range(width)]


def _names_by_content(columns: Sequence[list[str]], path: Path | None) -> list[str]:
    """Names of two columns without header."""
    kinds = [pattern_shares(column).likeliest for column in columns]
    if kinds[0] is kinds[1] or None in kinds:
        message = f"The two columns cannot be told apart: {columns[0][0][:30]!r} and {columns[1][0][:30]!r}."
        remedy = "Put a header on top, such as PROBEID and ENSEMBL."
        raise MalformedFileError(message, path=path, line=1, remedy=remedy)
    if (
        IdentifierType.PROBE not in kinds
        and IdentifierType.ENTREZ in kinds
        and IdentifierType.ENSEMBL_GENE not in kinds
    ):
        kinds[kinds.index(IdentifierType.ENTREZ)] = IdentifierType.PROBE  # spots are numbered, too
    return [_NAMES[kind][0] for kind in kinds if kind is not None]


def _majority(draft: _Draft) -> _Draft:
    """Brainarray's table has one line per probe: a probe set stands for a gene that half of its probes or more hit."""
    places = {plain_name(name): place for place, name in enumerate(draft.names)}
    genes, probe_sets = draft.columns[places["probesetname"]], draft.columns[places["affyprobesetname"]]
    hits = Counter(zip(probe_sets, genes, strict=True))
    probes = Counter(probe_sets)
    pairs = sorted(pair for pair, count in hits.items() if 2 * count >= probes[pair[0]] and all(pair))
    note = f"{len(hits) - len(pairs)} of {len(hits)} pairs of probe set and gene rest on less than half of the probes."
    columns = [[probe_set for probe_set, _ in pairs], [gene for _, gene in pairs]]
    return _Draft(("PROBEID", "ENSEMBL"), columns, replace(draft.origin, format="Brainarray"), [*draft.notes, note])


def _finished(draft: _Draft, path: Path | None) -> IdentifierMap:
    """Columns by what they are; Ensembl ids without version, empty rows left out."""
    chosen = _assigned(draft)
    if len(chosen) < 2:
        message = f"Fewer than two columns have identifiers of known types; there are {', '.join(draft.names)[:200]}."
        raise MalformedFileError(message, path=path, remedy="Name them PROBEID, ENSEMBL, SYMBOL, ENTREZID, REFSEQ …")
    columns = {kind: _texts([_canonical(cell) for cell in draft.columns[place]]) for kind, place in chosen.items()}
    columns, versions = _without_versions(columns)
    used = set(chosen.values())
    is_refinebio = [name.upper() for name in draft.names[:2]] == ["PROBEID", "ENSEMBL"]
    kind = "refine.bio" if is_refinebio and draft.origin.format == "table" else draft.origin.format
    return IdentifierMap(
        columns=columns,
        versions=versions,
        origin=replace(draft.origin, format=kind),
        ignored=tuple(name for place, name in enumerate(draft.names) if place not in used),
        notes=tuple(draft.notes),
    )


def _assigned(draft: _Draft) -> dict[IdentifierType, int]:
    """For each type the first column that is called so and looks so."""
    plain = [plain_name(name) for name in draft.names]
    chosen: dict[IdentifierType, int] = {}
    for kind, names in _NAMES.items():
        for name in names:
            places = [place for place, each in enumerate(plain) if each == name and place not in chosen.values()]
            fitting = [place for place in places if _fits(kind, draft.columns[place])]
            if fitting:
                chosen[kind] = fitting[0]
                break
    return chosen


def _fits(kind: IdentifierType, column: Sequence[str]) -> bool:
    filled = [cell for cell in column if cell]
    names = [name for cell in filled[:: max(1, len(filled) // _ROWS_LOOKED_AT)] for name in names_in(cell)]
    if not names:
        return False
    if sum(" " in name for name in names) > _LEAST_FITTING * len(names):  # titles of genes
        return False
    shares = pattern_shares(names).shares
    if kind is IdentifierType.SYMBOL:  # "Gene" may head a column of Ensembl ids
        return (
            shares.get(IdentifierType.ENSEMBL_GENE, 0.0) < _LEAST_FITTING and shares.get(IdentifierType.ENTREZ, 0.0) < 1
        )
    if kind in _FREE:
        return True
    alike = {kind}
    if kind in {IdentifierType.GENBANK, IdentifierType.REFSEQ}:  # GEO's GB_ACC has both
        alike = {IdentifierType.GENBANK, IdentifierType.REFSEQ}
    if kind is IdentifierType.UNIGENE:  # Hs.75081, or 75081
        alike = {IdentifierType.UNIGENE, IdentifierType.ENTREZ}
    return sum(shares.get(each, 0.0) for each in alike) >= _LEAST_FITTING


def _canonical(cell: str) -> str:
    """Several names of a cell with ``///`` between, none for ``---``, ``NA`` and the like."""
    if cell in {"", "NA", "---", "null", "NULL", "N/A", "None", "nan"}:
        return ""
    return SEPARATOR.join(dict.fromkeys(names_in(cell))) if SEPARATOR in cell else cell


def _without_versions(columns: dict[IdentifierType, Names]) -> tuple[dict[IdentifierType, Names], Names | None]:
    versions: Names | None = None
    for kind in (IdentifierType.ENSEMBL_GENE, IdentifierType.ENSEMBL_TRANSCRIPT):
        if kind in columns:
            split = [[split_stable_version(name) for name in names_in(cell)] for cell in columns[kind].tolist()]
            columns[kind] = _texts([SEPARATOR.join(dict.fromkeys(bare for bare, _ in names)) for names in split])
            found = [names[0][1] if len(names) == 1 else "" for names in split]
            if kind is IdentifierType.ENSEMBL_GENE and any(found):
                versions = _texts(found)
    return columns, versions


def _texts(texts: Sequence[str]) -> Names:
    column = np.empty(len(texts), dtype=object)
    column[:] = texts
    return column
