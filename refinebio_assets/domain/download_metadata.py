"""What a download says of its samples and experiments, in refine.bio's terms."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_RAW_DEFLATE = -15
_LARGEST_DICTIONARY = 32 * 1024  # what deflate can look back


class PackedRecords(Mapping[str, Mapping[str, Any]]):
    """JSON records by name, kept compressed: those of 400,000 samples take a tenth of what they would as objects.

    A record is unpacked anew each time it is asked for; changing what comes back changes nothing here.

    Args:
        records: Names and records; of two with the same name the later one counts.
    """

    def __init__(self, records: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        self._packed: dict[str, bytes] = {}
        self._dictionary = b""
        for name, record in records:
            content = json.dumps(record, separators=(",", ":")).encode()
            if not self._packed:  # the others look like the first one
                self._dictionary = content[-_LARGEST_DICTIONARY:]
            self._packed[name] = self._pack(content)

    def _pack(self, content: bytes) -> bytes:
        packer = zlib.compressobj(6, zlib.DEFLATED, _RAW_DEFLATE, zdict=self._dictionary)
        return packer.compress(content) + packer.flush()

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        unpacker = zlib.decompressobj(_RAW_DEFLATE, zdict=self._dictionary)
        record: Mapping[str, Any] = json.loads(unpacker.decompress(self._packed[name]))
        return record

    def __contains__(self, name: object) -> bool:
        return name in self._packed

    def __iter__(self) -> Iterator[str]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContributedValues:
    """What contributions say of one sample.

    Attributes:
        attributes: By name of the contribution and of the term: ``value``, and where there are such, ``unit`` and
            ``confidence`` (0 to 1).
        keywords: Names of terms by name of the contribution.
    """

    attributes: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    keywords: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadMetadata:
    """Metadata of samples and of the experiments that they belong to.

    Attributes:
        samples: By accession: ``refinebio_accession_code``, ``refinebio_title``, the harmonised fields and the others
            that docs/compendium_files.md lists, and ``refinebio_annotations``, a list of what the archives say.
        experiments: By accession: title, description, publication and so on; ``sample_accession_codes`` are those of
            its samples that are here.
        memberships: Experiments of each sample that are here, the one that owns it first.
        contributed: What contributions say, of samples that they say something of.
        methods: Page that says how a contribution was made, by its name.
    """

    samples: Mapping[str, Mapping[str, Any]]
    experiments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    memberships: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    contributed: Mapping[str, ContributedValues] = field(default_factory=dict)
    methods: Mapping[str, str] = field(default_factory=dict)

    def experiment_of(self, sample: str) -> str:
        """The experiment that a sample is listed under; empty if none of its experiments is here."""
        return next(iter(self.memberships.get(sample, ())), "")

    def last_changed(self) -> str:
        """When the archives changed one of the experiments last (``2021-03-04T00:00:00``); empty if none says.

        It stands where refine.bio writes the time of packing: the same content has the same bytes, whenever packed.
        """
        names = ("source_last_modified", "source_first_published")
        dates = (experiment.get(name) or "" for experiment in self.experiments.values() for name in names)
        return max(dates, default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilteredSample:
    """Why a sample is not in a download, and the experiment it would have come from."""

    reason: str
    experiment: str = ""


def pretty_platform(name: str | None, accession: str | None) -> str:
    """A platform as refine.bio shows it: ``Affymetrix Zebrafish Genome Array (zebrafish)``.

    The short name in brackets that GEO puts before (``[Zebrafish] …``) is left out.
    """
    shown = (name or "").partition("]")[2].strip() or (name or "").strip()
    return f"{shown} ({accession})" if accession else shown
