"""References of array platforms: importing them, and having them at hand while arrays are processed."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from refinebio_assets.domain.array_names import array_code
from refinebio_assets.domain.errors import InputError, ObjectStoreError
from refinebio_assets.domain.organisms import scientific_name
from refinebio_assets.domain.vocabulary import PlatformReferenceKind
from refinebio_assets.microarray import processors
from refinebio_assets.microarray.chip_annotation import load_chip_annotation
from refinebio_assets.microarray.compressed_bytes import read_content
from refinebio_assets.microarray.gene_identifiers import IdentifierType
from refinebio_assets.microarray.identifier_maps import IdentifierMap
from refinebio_assets.microarray.illumina_platform import BeadPlatform
from refinebio_assets.microarray.scan_annotation import ArrayAnnotation
from refinebio_assets.survey.microarray_platforms import MicroarrayPlatform
from refinebio_assets.survey.registry import PlatformRegistry
from resources.catalog import Catalog, PlatformReferenceInfo, PlatformReferenceToRecord, RecordedReference
from resources.object_store import ObjectStore

PREFIX = "platform_references"

ENSEMBL_PREFIXES = {
    "ENSG": "HOMO_SAPIENS",
    "ENSMUSG": "MUS_MUSCULUS",
    "ENSRNOG": "RATTUS_NORVEGICUS",
    "ENSDARG": "DANIO_RERIO",
    "ENSBTAG": "BOS_TAURUS",
    "ENSCAFG": "CANIS_LUPUS_FAMILIARIS",
    "ENSGALG": "GALLUS_GALLUS",
    "ENSMMUG": "MACACA_MULATTA",
    "ENSSSCG": "SUS_SCROFA",
    "ENSXETG": "XENOPUS_TROPICALIS",
    "FBGN": "DROSOPHILA_MELANOGASTER",
    "WBGENE": "CAENORHABDITIS_ELEGANS",
    "AT": "ARABIDOPSIS_THALIANA",
}
"""Organism by what stands before the digits of a stable gene id (Ensembl, and the databases whose ids it takes over):
https://www.ensembl.org/info/genome/stable_ids/prefixes.html"""

_LETTERS = re.compile(r"[A-Za-z]*")

Content = TypeVar("Content")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceContent:
    """A reference as it is stored, and what it amounts to."""

    kind: PlatformReferenceKind
    content: bytes
    filename: str
    num_probes: int
    num_genes: int
    organism: str | None


def supported_platform(name: str) -> MicroarrayPlatform:
    """The supported array that a code, GPL or A-… accession, or the chip type of a CEL header names.

    Raises:
        InputError: There is none.
    """
    platform = _registry().microarray_platform(name) or _registry().microarray_platform(array_code(name))
    if platform is None:
        message = f"{name} is not among the supported array platforms."
        raise InputError(message, remedy="refinebio platform list shows them; give a code, a GPL or an A-… accession.")
    return platform


def supported_platforms() -> list[MicroarrayPlatform]:
    """All supported arrays, each once, by code."""
    found = {platform.accession: platform for platform in _registry().microarray_platforms.values()}
    return [found[code] for code in sorted(found, key=str.lower)]


@lru_cache(maxsize=1)
def _registry() -> PlatformRegistry:
    return PlatformRegistry.load()


def read_chip_annotation(
    platform: MicroarrayPlatform,
    probe_table: Path,
    probe_summary: Path | None,
    *,
    organism: str | None,
    source: str,
    version: str,
) -> ReferenceContent:
    """The reference of an Affymetrix chip from its tables.

    Raises:
        InputError: The tables are not of one chip, or cannot be read.
    """
    made, array = processors.make_chip_annotation(
        probe_table,
        probe_summary,
        chip=array_code(platform.accession),
        organism=organism or "",
        source=source,
        version=version,
    )
    known = organism or organism_of_genes(array.ids)
    if known != (organism or None):
        made = replace(made, organism=known or "")
    return ReferenceContent(
        kind=PlatformReferenceKind.CHIP_ANNOTATION,
        content=made.content,
        filename=f"{array_code(platform.accession)}.npz",
        num_probes=len(array.x),
        num_genes=len(array.ids) if array.are_genes else 0,
        organism=known,
    )


def read_identifier_reference(
    platform: MicroarrayPlatform, table: Path, *, organism: str | None, version: str
) -> ReferenceContent:
    """The reference for values that submitters processed: what the identifiers of a platform name.

    Raises:
        InputError: The table cannot be read, or does not lead to Ensembl genes.
    """
    name = "" if organism is None else scientific_name(organism)
    mapping = processors.make_identifier_map(table, platform=platform.accession, organism=name, release=version)
    genes = mapping.identifiers(IdentifierType.ENSEMBL_GENE)
    return ReferenceContent(
        kind=PlatformReferenceKind.IDENTIFIER_MAP,
        content=mapping.to_bytes(),
        filename="identifiers.parquet",
        num_probes=mapping.rows,
        num_genes=len(genes),
        organism=organism or organism_of_genes(genes),
    )


def read_probe_map(platform: MicroarrayPlatform, table: Path, *, organism: str | None) -> ReferenceContent:
    """The reference of a BeadArray: its probes with sequence, quality and genes.

    Stored without the compression that it came in: the same table is the same reference.

    Raises:
        InputError: The table cannot be read, or names no genes.
    """
    import gzip

    content = read_content(table)
    made = processors.make_probe_map(content, platform=platform.accession)
    genes = {gene for found in made.genes or () for gene in found}
    return ReferenceContent(
        kind=PlatformReferenceKind.PROBE_MAP,
        content=gzip.compress(content, mtime=0),
        filename="probes.tsv.gz",
        num_probes=len(made.probes),
        num_genes=len(genes),
        organism=organism or organism_of_genes(genes),
    )


def organism_of_genes(genes: Iterable[str]) -> str | None:
    """The organism that stable gene ids are of; None if they are of none that is known, or of several."""
    found = {ENSEMBL_PREFIXES.get(_LETTERS.match(gene)[0].upper()) for gene in genes}  # type: ignore[index]  # matches ""
    return found.pop() if len(found) == 1 else None


def import_reference(
    platform: MicroarrayPlatform,
    reference: ReferenceContent,
    *,
    source: str,
    version: str,
    catalog: Catalog,
    store: ObjectStore,
) -> RecordedReference:
    """Store a reference and make it the current one of its platform and kind.

    Stored first, recorded then: a process that is killed in between leaves an object that the same import finds.

    Raises:
        ObjectStoreError: The store refused.
    """
    import hashlib

    sha256 = hashlib.sha256(reference.content).hexdigest()
    key = f"{PREFIX}/{platform.accession}/{reference.kind.value}/{sha256}/{reference.filename}"
    if not store.exists(key):
        store.put_bytes(reference.content, key)
    return catalog.record_platform_reference(
        PlatformReferenceToRecord(
            platform=platform.accession,
            platform_name=platform.name,
            manufacturer=platform.manufacturer,
            kind=reference.kind,
            source=source,
            version=version,
            sha256=sha256,
            key=key,
            filename=reference.filename,
            size_bytes=len(reference.content),
            num_probes=reference.num_probes,
            num_genes=reference.num_genes,
            organism=reference.organism,
        )
    )


@dataclass(slots=True)
class References:
    """The current references, looked up once per run and read once per process; safe to share between threads."""

    catalog: Catalog
    store: ObjectStore
    _infos: dict[tuple[str, PlatformReferenceKind], PlatformReferenceInfo] | None = None
    _loaded: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def info(self, platform: str | None, kind: PlatformReferenceKind) -> PlatformReferenceInfo | None:
        """The current reference of a platform (its code), None if there is none."""
        return None if platform is None else self._all().get((platform, kind))

    def of_kind(self, kind: PlatformReferenceKind, organism: str | None) -> list[PlatformReferenceInfo]:
        """All current references of a kind that are for an organism, or for any."""
        found = (info for (_, of), info in sorted(self._all().items()) if of is kind)
        return [info for info in found if info.organism in {None, organism}]

    def of_platform(self, platform: str | None) -> dict[str, str]:
        """The sha256 of the current references of a platform, by kind."""
        return {kind.value: info.sha256 for (of, kind), info in sorted(self._all().items()) if of == platform}

    def chip(self, info: PlatformReferenceInfo) -> ArrayAnnotation:
        """What SCAN needs of a chip.

        Raises:
            ObjectStoreError: The stored reference is not there, or damaged.
        """
        return self._once(
            info, lambda content: processors.array_annotation(load_chip_annotation(content, sha256=info.sha256))
        )

    def beads(self, info: PlatformReferenceInfo) -> BeadPlatform:
        """The probes of a BeadArray; its name is the code of the platform.

        Raises:
            ObjectStoreError: The stored reference is not there, or damaged.
        """
        return self._once(info, lambda content: processors.make_probe_map(content, platform=info.platform))

    def identifiers(self, info: PlatformReferenceInfo) -> IdentifierMap:
        """What the identifiers of a platform name.

        Raises:
            ObjectStoreError: The stored reference is not there, or damaged.
        """
        return self._once(info, IdentifierMap.from_bytes)

    def _once(self, info: PlatformReferenceInfo, read: Callable[[bytes], Content]) -> Content:
        with self._lock:
            if info.sha256 not in self._loaded:
                try:
                    self._loaded[info.sha256] = read(self.store.get_bytes(info.key))
                except InputError as error:
                    message = f"The stored {info.kind.value} of {info.platform} is damaged: {error}"
                    remedy = f"Import it again: {import_command(info.platform, info.kind)}"
                    raise ObjectStoreError(message, remedy=remedy) from error
            loaded: Content = self._loaded[info.sha256]
            return loaded

    def _all(self) -> dict[tuple[str, PlatformReferenceKind], PlatformReferenceInfo]:
        with self._lock:
            if self._infos is None:
                self._infos = {(info.platform, info.kind): info for info in self.catalog.platform_references()}
            return self._infos


_OPTIONS = {
    PlatformReferenceKind.CHIP_ANNOTATION: "--probe-table FILE --probe-summary FILE",
    PlatformReferenceKind.PROBE_MAP: "--probe-map FILE",
    PlatformReferenceKind.IDENTIFIER_MAP: "--identifier-map FILE",
}


def import_command(platform: str, kind: PlatformReferenceKind) -> str:
    """The command that imports a reference."""
    return f"refinebio platform import --platform {platform} {_OPTIONS[kind]} --source NAME --version VERSION"
