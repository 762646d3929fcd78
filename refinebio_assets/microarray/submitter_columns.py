"""Which column of a submitter's table has the identifiers and which have the values, by name and by content."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from refinebio_assets.microarray.gene_identifiers import IdentifierType, identifier_type

ID_NAMES = frozenset(
    (
        *(
            "id",
            "idref",
            "refid",
            "idprobe",
            "targetid",
            "identifier",
            "reporteridentifier",
            "compositeelementidentifier",
        ),
        *("probe", "probeid", "probename", "probeset", "probesetid", "probesetname", "feature", "featurename", "tag"),
        *("gene", "geneid", "genename", "genesymbol", "symbol", "entrez", "entrezid", "entrezgeneid", "ensembl"),
        *("ensemblid", "ensemblgeneid", "refseq", "genbank", "gbacc", "orf", "locus", "locustag", "name", "rowname"),
    )
)
"""Names of columns of identifiers, in lower case without punctuation."""

VALUE_NAMES = ("value", "values")
SIGNAL_NAMES = frozenset(
    (
        *("signal", "avgsignal", "signalintensity", "intensity", "expression", "expressionvalue", "normalized"),
        *(
            "normalised",
            "normalizedvalue",
            "normalizedsignal",
            "rma",
            "rmasignal",
            "gcrma",
            "plier",
            "mas5",
            "mas5signal",
        ),
        *("chpsignal", "log2signal", "log2intensity", "log2expression"),
    )
)
"""Names of columns of expression values other than ``VALUE``."""

_AUXILIARY_NAMES = frozenset(
    (
        *("p", "sd", "se", "flag", "flags", "call", "detection", "x", "y", "row", "column", "length", "chromosome"),
        *("start", "end", "percent", "error", "rank", "quality", "background", "bkgd", "positive", "negative", "pairs"),
        *("pairsused", "posneg", "statpairs", "statpairsused", "statcommonpairs", "logratioerror", "spot", "meta"),
    )
)
_AUXILIARY = re.compile(
    r"detection[\W_]*p|p[\W_]?val|abs[\W_]?call|det[\W_]p\b|bead[\W_]?std|n[\W_]?beads|narrays|array[\W_]?stdev|std[\W_]?err",
    re.IGNORECASE,
)
"""Columns of numbers that are no expression: p-values, calls, numbers of beads, deviations, places."""

_WORDS = re.compile(r"[A-Z]?[a-z]+[0-9]?|[A-Z]+[0-9]?(?![a-z])")
_MEASUREMENTS = frozenset(
    (
        *("ch1", "ch2", "cy3", "cy5", "red", "green", "mean", "median", "ratio", "count", "counts", "tpm", "signal"),
        *("intensity", "raw", "norm", "normalized", "value", "foreground", "processed", "log", "log2", "g", "r"),
    )
)
"""Words of names that tell kinds of measurements; samples of one kind have the same ones."""

_SAMPLE_ACCESSION = re.compile(r"\"?(?:GSM|SRR|ERR|DRR|SAMN|SAMEA|SAMD)[0-9]+\"?(?:[._-].*)?", re.ASCII)
_PLAIN = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)
_WITH_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?", re.ASCII)
_NOT_WORD = re.compile(r"[^a-z0-9]+")

MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "nd", "missing", "-", "--", "."})
"""Cells that say that there is no value, in lower case."""

LEAST_NUMERIC = 0.9
"""A column of values has numbers in this part of the cells that have anything."""
_SIMILAR_SPREAD = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnContent:
    """What the cells of one column are.

    Attributes:
        name: As the header has it; empty without one.
        place: 0-based.
        missing: Cells that are empty or say that there is no value.
        plain: Numbers with a point or without decimals.
        comma: Cells with a comma where numbers have one.
        thousands: Those of them that could have it between thousands.
        other: Text.
        numbers: The plain numbers.
        distinct: Distinct cells.
    """

    name: str
    place: int
    missing: int
    plain: int
    comma: int
    thousands: int
    other: int
    numbers: Sequence[float]
    distinct: int

    @property
    def numeric(self) -> bool:
        """Whether the column has numbers."""
        present = self.plain + self.comma + self.other
        return present > 0 and (self.plain + self.comma) / present >= LEAST_NUMERIC

    @property
    def fraction(self) -> bool:
        """Whether all numbers are between 0 and 1, as p-values are."""
        return bool(self.numbers) and not self.comma and min(self.numbers) >= 0 and max(self.numbers) <= 1

    @property
    def decimal_comma(self) -> bool | None:
        """Whether commas are decimal signs; None if that cannot be told (``1,234`` in all cells)."""
        if not self.comma:
            return False
        if self.thousands < self.comma:
            return True
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which columns were chosen.

    Attributes:
        ids: Place of the identifiers.
        values: Places of the values, one per sample.
        confidence: 0 to 1; below 0.6 nothing should be read without a person's word.
        evidence: What speaks for it, for people.
    """

    ids: int
    values: tuple[int, ...]
    confidence: float
    evidence: tuple[str, ...]


def plain_name(name: str) -> str:
    """A column name in lower case, letters and digits only."""
    return _NOT_WORD.sub("", name.lower())


def number_of(cell: str, *, decimal_comma: bool = False) -> float | None:
    """The number in a cell, None if there is none; overflow is none."""
    if decimal_comma:
        cell = cell.replace(",", ".") if cell.count(",") == 1 and "." not in cell else cell
    if not _PLAIN.fullmatch(cell):
        return None
    number = float(cell)
    return number if abs(number) < float("inf") else None


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value."""
    return cell.lower() in MISSING


def describe_column(name: str, place: int, cells: Sequence[str]) -> ColumnContent:
    """Look at cells of a column."""
    missing = plain = comma = thousands = other = 0
    numbers: list[float] = []
    for cell in cells:
        number = number_of(cell)
        if number is not None:
            plain += 1
            numbers.append(number)
        elif is_missing(cell):
            missing += 1
        elif _WITH_COMMA.fullmatch(cell) or _THOUSANDS.fullmatch(cell):
            comma += 1
            thousands += _THOUSANDS.fullmatch(cell) is not None
        else:
            other += 1
    return ColumnContent(
        name=name,
        place=place,
        missing=missing,
        plain=plain,
        comma=comma,
        thousands=thousands,
        other=other,
        numbers=numbers,
        distinct=len(set(cells)),
    )


def has_header(first: Sequence[str], body: Sequence[ColumnContent]) -> tuple[bool, str]:
    """Whether the first line is a header: text stands above numbers, or it is called as identifiers are.

    Args:
        first: Cells of the first line.
        body: The columns below it.

    Returns:
        The answer, and why.
    """
    names = dict(enumerate(first))
    above = [names.get(column.place, "") for column in body if column.numeric and column.place > 0]
    text = [cell for cell in above if number_of(cell, decimal_comma=True) is None and not is_missing(cell)]
    if text and len(first) == len(body) and identifier_type(first[0]) in _UNMISTAKABLE:
        return False, f"the first line begins with an identifier ({first[0][:30]!r}): no header"
    if text:
        return True, f"the first line has {text[0][:30]!r} above numbers: a header"
    if first and plain_name(first[0]) in ID_NAMES:
        return True, f"the first line begins with {first[0][:30]!r}: a header"
    return False, "the first line has numbers where the others have them: no header"


def is_shifted_header(first: Sequence[str], width: int) -> bool:
    """Whether the first line has a name for every column but the first."""
    if len(first) != width - 1 or not all(first) or plain_name(first[0]) in ID_NAMES:
        return False
    if identifier_type(first[0]) in _UNMISTAKABLE:
        return False
    return not any(is_missing(cell) or number_of(cell, decimal_comma=True) is not None for cell in first)


def choose_columns(columns: Sequence[ColumnContent], *, header: bool, samples: frozenset[str] = frozenset()) -> Choice:
    """Decide which column is which.

    Args:
        columns: All of them; names are empty without a header.
        header: Whether names are known.
        samples: Titles or accessions of samples: columns called so have their values.
    """
    ids, id_confidence, why = _id_column(columns, header=header)
    candidates = [column for column in columns if column.numeric and column.place != ids]
    found = _by_name(candidates, samples) if header else None
    values, confidence, reason = found or _by_content(candidates, header=header)
    return Choice(
        ids=ids,
        values=tuple(column.place for column in values),
        confidence=round(min(id_confidence, confidence), 3),
        evidence=(why, reason),
    )


def _id_column(columns: Sequence[ColumnContent], *, header: bool) -> tuple[int, float, str]:
    named = [column for column in columns if header and plain_name(column.name) in ID_NAMES and _identifies(column)]
    if named:
        best = named[0]
        return best.place, 1.0, f"column {best.name!r} is called as identifiers are"
    first = columns[0]
    if not first.name and not first.numeric:
        return 0, 0.95, "the first column has no name and no numbers: the identifiers"
    if _identifies(first) and not first.numeric:
        return 0, 0.9, "the first column has distinct texts: the identifiers"
    if first.numeric and _looks_like_numbering(first):
        return 0, 0.75, "the first column has distinct whole numbers: the identifiers"
    text = [column for column in columns if not column.numeric and _identifies(column)]
    if len(text) == 1:
        return text[0].place, 0.7, f"column {text[0].place + 1} is the only one with distinct texts: the identifiers"
    return 0, 0.3, "no column is recognised as that of the identifiers"


def _identifies(column: ColumnContent) -> bool:
    present = column.plain + column.comma + column.other
    return present > 0 and column.distinct >= 0.5 * present


def _looks_like_numbering(column: ColumnContent) -> bool:
    return (
        column.plain > 0
        and all(number.is_integer() and number >= 0 for number in column.numbers)
        and (len(set(column.numbers)) == len(column.numbers))
    )


_UNMISTAKABLE = frozenset(
    (
        *(IdentifierType.PROBE, IdentifierType.ENSEMBL_GENE, IdentifierType.ENSEMBL_TRANSCRIPT),
        *(IdentifierType.REFSEQ, IdentifierType.UNIGENE),
    )
)
"""No header is called so."""

Found = tuple[list[ColumnContent], float, str]


def _by_name(candidates: Sequence[ColumnContent], samples: frozenset[str]) -> Found | None:
    for column in candidates:
        if plain_name(column.name) in VALUE_NAMES:
            return [column], 1.0, f"column {column.name!r} has the values"
    told = [column for column in candidates if column.name in samples]
    if told:
        return told, 1.0, f"{len(told)} columns are called as the samples are"
    accessions = [column for column in candidates if _SAMPLE_ACCESSION.fullmatch(column.name)]
    main = [column for column in accessions if not _is_auxiliary(column.name)]
    if main:
        return main, 0.95, f"{len(main)} columns are called by accessions of samples"
    signals = [column for column in candidates if _is_signal(column.name)]
    if len(signals) == 1:
        return signals, 0.9, f"column {signals[0].name!r} is called as expression values are"
    per_sample = [column for column in candidates if re.search(r"AVG[_ ]?Signal", column.name, re.IGNORECASE)]
    if per_sample:
        return per_sample, 0.9, f"{len(per_sample)} columns are called AVG_Signal"
    return None


def _is_signal(name: str) -> bool:
    return plain_name(name) in SIGNAL_NAMES


def _is_auxiliary(name: str) -> bool:
    return plain_name(name) in _AUXILIARY_NAMES or _AUXILIARY.search(name) is not None


def _measurement(name: str) -> frozenset[str]:
    """Which measurement a name speaks of: ``CH1_MEAN`` -> ch1, mean; ``normal kidney 2`` -> nothing."""
    return _MEASUREMENTS.intersection(word.lower() for word in _WORDS.findall(name))


def _by_content(candidates: Sequence[ColumnContent], *, header: bool) -> Found:
    main = [column for column in candidates if not (header and _is_auxiliary(column.name))]
    if len(main) > 1 and not header:  # with one, a sample whose values are all small must not be lost
        main = [column for column in main if not column.fraction] or main
    if not main:
        return [], 0.0, "no column has numbers that could be expression values"
    left = len(candidates) - len(main)
    others = f"; {left} others are p-values, calls or the like" if left else ""
    if len(main) == 1:
        confidence = 0.85 if header or not left else 0.75
        return main, confidence, f"column {main[0].place + 1} is the only one with values{others}"
    if header and len({_measurement(column.name) for column in main}) == 1 and _alike(main):
        return main, 0.8, f"{len(main)} columns have numbers of one kind: one sample each{others}"
    names = ", ".join(column.name or str(column.place + 1) for column in main[:4])
    return main[:1], 0.3, f"{len(main)} columns could be the values ({names}{', …' * (len(main) > 4)})"


def _alike(columns: Sequence[ColumnContent]) -> bool:
    """Whether columns hold the same kind of numbers: their middles are close, seen from how far their values spread."""
    if any(not column.numbers for column in columns) or len({column.decimal_comma for column in columns}) > 1:
        return all(column.comma for column in columns)
    middles = [median(column.numbers) for column in columns]
    spreads = [
        median(abs(number - middle) for number in column.numbers)
        for column, middle in zip(columns, middles, strict=True)
    ]
    largest = _SIMILAR_SPREAD * median(spreads)
    return max(middles) - min(middles) <= largest and max(spreads) <= largest


def example_of(column: ColumnContent, cells: Sequence[str]) -> str:
    """A column for a message: name, type of its identifiers or numbers."""
    shown = next((cell for cell in cells if not is_missing(cell)), "")[:20]
    kind = "numbers" if column.numeric else str(identifier_type(shown) or "text")
    return f"{column.place + 1} {column.name[:30]!r} ({kind}, such as {shown!r})"
