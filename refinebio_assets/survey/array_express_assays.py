"""The assays of a study: rows of its SDRFs that describe one and the same hybridisation or sequencing library.

An assay is named by its Assay Name or Hybridization Name. Names are only unique within an SDRF, and submitters give one
name to the two arrays of a set, so an assay is told by SDRF, name, array design and, for Affymetrix, the CEL file.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from refinebio_assets.domain.vocabulary import Technology
from refinebio_assets.survey.eligibility import ELIGIBLE_STRATEGY
from refinebio_assets.survey.mage_tab import Sdrf, SdrfRow

RAW_NODES = ("Array Data File", "Array Data Matrix File", "Raw Data File")
DERIVED_NODES = ("Derived Array Data File", "Derived Array Data Matrix File", "Derived Data File")

_ASSAY_NODES = ("Assay Name", "Hybridization Name")
_TITLE_NODES = ("Sample Name", "Source Name", "Extract Name", "Labeled Extract Name")
_CEL = re.compile(r"\.cel(?:\.gz)?$", re.IGNORECASE)
_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")
_LONGEST_NAME = 180
_ENA_COMMENTS = ("ENA_RUN", "ENA_EXPERIMENT", "FASTQ_URI", "LIBRARY_STRATEGY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assay:
    """One assay.

    Attributes:
        path: Name of its SDRF.
        name: As the submitter wrote it.
        part: What tells it from other assays of the name: array design and CEL file; empty if the name suffices.
        rows: Its rows: one per channel, per file or per read file.
        headers: The headers of the SDRF.
    """

    path: str
    name: str
    part: str
    rows: tuple[SdrfRow, ...]
    headers: tuple[str, ...]

    def names(self, *types: str) -> tuple[str, ...]:
        """Distinct names of nodes of some types, in order."""
        return tuple(dict.fromkeys(node.name for row in self.rows for node in row.of(*types)))

    def values(self, *kinds: str) -> tuple[str, ...]:
        """Distinct values of attributes of some kinds, in order."""
        found = (each.value for row in self.rows for each in row.attributes(*kinds))
        return tuple(dict.fromkeys(value for value in found if value))

    def comment(self, name: str) -> tuple[str, ...]:
        """Distinct values of a comment, in order."""
        return tuple(dict.fromkeys(value for row in self.rows for value in row.comment(name)))

    @property
    def designs(self) -> tuple[str, ...]:
        """Array designs."""
        return self.values("Array Design REF")

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels; two of them are the two channels of the array."""
        return self.values("Label")

    @property
    def is_two_colour(self) -> bool:
        """Whether two differently labelled extracts were hybridised to one array."""
        return len({label.lower() for label in self.labels}) > 1

    @property
    def is_sequencing(self) -> bool:
        """Whether it is a sequencing library: the technology says so, or there is no array and ENA has it."""
        told = " ".join(self.values("Technology Type")).lower()
        return "sequencing" in told or (not self.designs and any(map(self.comment, _ENA_COMMENTS)))

    @property
    def technology(self) -> Technology:
        """Array, RNA-seq, or unknown (other kinds of sequencing, and assays of which nothing is told)."""
        if self.is_sequencing:
            strategies = self.comment("LIBRARY_STRATEGY")
            is_rna_seq = not strategies or any(map(is_rna_seq_strategy, strategies))
            return Technology.RNA_SEQ if is_rna_seq else Technology.UNKNOWN
        told = " ".join(self.values("Technology Type")).lower()
        is_array = bool(self.designs or self.labels or "array" in told or self.names("Hybridization Name", *RAW_NODES))
        return Technology.MICROARRAY if is_array else Technology.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Assays:
    """The assays of a study, in the order of its files, and the rows that describe none (``file:line``)."""

    assays: tuple[Assay, ...]
    rows_without_assay: tuple[str, ...]


def find_assays(sdrfs: Sequence[Sdrf]) -> Assays:
    """Group the rows of a study's SDRFs into assays; every row is in one, or in ``rows_without_assay``.

    Only a row that leaves out what tells assays of one name apart is in several.
    """
    assays: list[Assay] = []
    without: list[str] = []
    for sdrf in sdrfs:
        by_name: dict[str, list[SdrfRow]] = {}
        for row in sdrf.rows:
            name = _assay_name(row)
            if name:
                by_name.setdefault(name, []).append(row)
            else:
                without.append(f"{sdrf.path}:{row.line}")
        for name, rows in by_name.items():
            assays.extend(
                Assay(
                    path=sdrf.path,
                    name=name,
                    part="|".join(filter(None, (design, cel))),
                    rows=of_cel,
                    headers=sdrf.headers,
                )
                for design, of_design in _split(rows, _design)
                for cel, of_cel in _split(of_design, _cel_file)
            )
    return Assays(assays=tuple(assays), rows_without_assay=tuple(without))


def is_rna_seq_strategy(strategy: str) -> bool:
    """Whether a library strategy is RNA-Seq, in any letter case."""
    return strategy.upper() == ELIGIBLE_STRATEGY.upper()


def is_cel(name: str) -> bool:
    """Whether a file is an Affymetrix CEL file by its name."""
    return _CEL.search(name) is not None


def _assay_name(row: SdrfRow) -> str:
    """The name of the assay; where the SDRF has none, that of scan, raw file, run or derived file."""
    for types in (_ASSAY_NODES, ("Scan Name",), RAW_NODES):
        if nodes := row.of(*types):
            return nodes[0].name
    if runs := row.comment("ENA_RUN"):
        return runs[0]
    derived = row.of(*DERIVED_NODES)
    return derived[0].name if derived else ""


def _split(rows: Sequence[SdrfRow], value_of: Callable[[SdrfRow], str]) -> Iterator[tuple[str, tuple[SdrfRow, ...]]]:
    """Rows by a value if they have several; rows without the value belong to each of them."""
    values = list(dict.fromkeys(value for row in rows if (value := value_of(row))))
    if len(values) <= 1:
        yield "", tuple(rows)
        return
    for value in values:
        yield value, tuple(row for row in rows if value_of(row) in {"", value})


def _design(row: SdrfRow) -> str:
    return next((each.value for each in row.attributes("Array Design REF") if each.value), "")


def _cel_file(row: SdrfRow) -> str:
    return next((node.name for node in row.of(*RAW_NODES) if is_cel(node.name)), "")


def sample_accessions(experiment: str, assays: Sequence[Assay]) -> tuple[str, ...]:
    """One accession per assay, in their order: ``{experiment}-{assay name}``.

    Anything but letters, digits and ``. _ + -`` becomes ``_``, so that accessions are safe in paths, tables and shells.
    Where that, or letter case alone, would make two assays one, or the name is very long, eight digits of a hash of
    what tells the assay are appended. The outcome for an assay does not depend on the order of rows.
    """
    plain = [_UNSAFE.sub("_", assay.name) for assay in assays]
    times = Counter(name.casefold() for name in plain)
    unique = [
        name
        if times[name.casefold()] == 1 and len(name) <= _LONGEST_NAME
        else f"{name[:_LONGEST_NAME]}-{_digits(assay)}"
        for name, assay in zip(plain, assays, strict=True)
    ]
    return tuple(f"{experiment}-{name}" for name in unique)


def _digits(assay: Assay) -> str:
    told = "\0".join((assay.path, assay.name, assay.part))
    return hashlib.sha256(told.encode()).hexdigest()[:8]


def titles(assays: Sequence[Assay]) -> tuple[str, ...]:
    """One title per assay: the first of the submitter's names that tells all assays of the study apart.

    Asked in this order: the title kept from GEO (``Comment[Sample_title]``), Sample Name, Source Name, Extract Name,
    Labeled Extract Name; if none does (or an assay has several, as two-colour arrays have), the assay's own name.
    """
    candidates = [[assay.comment("Sample_title") for assay in assays]]
    candidates += [[assay.names(node) for assay in assays] for node in _TITLE_NODES]
    for names in candidates:
        single = [each[0] for each in names if len(each) == 1]
        if len(single) == len(assays) == len(set(single)):
            return tuple(single)
    return tuple(assay.name for assay in assays)


def replicates(assays: Sequence[Assay]) -> tuple[dict[str, object], ...]:
    """How each assay relates to the others of the study.

    ``assays_of_extract`` > 1: technical replicates (one extract measured several times on the same array design).
    ``sources_with_these_factor_values`` > 1: biological replicates (None if the study has no factor values). Both count
    the assay itself.
    """
    sources = [assay.names("Source Name") for assay in assays]
    extracts = [(assay.names("Source Name"), assay.names("Extract Name"), assay.designs) for assay in assays]
    conditions = [(_factor_values(assay), assay.designs) for assay in assays]
    of_extract, of_source = Counter(extracts), Counter(sources)
    alike = Counter(condition for condition, _ in set(zip(conditions, sources, strict=True)))
    return tuple(
        {
            "sources": list(source),
            "extracts": list(extract[1]),
            "assays_of_extract": of_extract[extract],
            "assays_of_source": of_source[source],
            "factor_values": dict(condition[0]),
            "sources_with_these_factor_values": alike[condition] if condition[0] else None,
        }
        for source, extract, condition in zip(sources, extracts, conditions, strict=True)
    )


def _factor_values(assay: Assay) -> tuple[tuple[str, str], ...]:
    found: dict[str, list[str]] = {}
    for row in assay.rows:
        for each in row.attributes("Factor Value"):
            value = f"{each.value} {each.unit}".strip()
            if value and value not in found.setdefault(each.name, []):
                found[each.name].append(value)
    return tuple((name, ";".join(values)) for name, values in sorted(found.items()))
