"""GEO series made up for tests: family files and supplementary files, written as a study folder in moments.

    series = SyntheticSeries("GSE9000001")
    series.add_array_sample(characteristics={"tissue": "liver"})
    series.add_sequenced_sample()
    series.write(tmp_path)              # -> tmp_path/GSE9000001, ready for LocalArchive(tmp_path)

Accessions lie outside the numbers GEO has given out: samples get nine digits (``GSM9``, the last four digits of the
series, the number of the sample), and series should be named ``GSE9…`` with seven.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from examples.synthetic_files import gzipped, pubmed_record, write_bytes, write_json

FILES_HOST = "ftp.ncbi.nlm.nih.gov"

SOME_CEL = b"\x40\x00\x00\x00\x04\x00\x00\x00made up for a test: no array was measured"
"""Content of CEL files whose intensities do not matter (it begins as a CEL file of version 4 does)."""

_ARRAY, _BEADS, _SEQUENCING = "in situ oligonucleotide", "oligonucleotide beads", "high-throughput sequencing"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticPlatform:
    """A platform as a family file describes it."""

    accession: str
    title: str
    technology: str
    organism: str = "Homo sapiens"
    taxonomy_id: int = 9606
    manufacturer: str = ""


PLATFORMS = {
    platform.accession: platform
    for platform in (
        SyntheticPlatform(
            accession="GPL570",
            title="[HG-U133_Plus_2] Affymetrix Human Genome U133 Plus 2.0 Array",
            technology=_ARRAY,
            manufacturer="Affymetrix",
        ),
        SyntheticPlatform(
            accession="GPL1261",
            title="[Mouse430_2] Affymetrix Mouse Genome 430 2.0 Array",
            technology=_ARRAY,
            organism="Mus musculus",
            taxonomy_id=10090,
            manufacturer="Affymetrix",
        ),
        SyntheticPlatform(
            accession="GPL10558",
            title="Illumina HumanHT-12 V4.0 expression beadchip",
            technology=_BEADS,
            manufacturer="Illumina Inc.",
        ),
        SyntheticPlatform(
            accession="GPL6480",
            title="Agilent-014850 Whole Human Genome Microarray 4x44K G4112F (Probe Name version)",
            technology=_ARRAY,
            manufacturer="Agilent Technologies",
        ),
        SyntheticPlatform(accession="GPL16791", title="Illumina HiSeq 2500 (Homo sapiens)", technology=_SEQUENCING),
    )
}
"""Real platforms: two supported Affymetrix arrays, a supported BeadArray, an unsupported array, a sequencer."""


@dataclass(slots=True, kw_only=True)
class SyntheticGeoSample:
    """A sample: its attributes as the family file has them, its supplementary files and its table of values."""

    accession: str
    attributes: dict[str, list[str]]
    files: dict[str, bytes]
    values: Mapping[str, float] | None = None


@dataclass(slots=True)
class SyntheticSeries:
    """Builds a study folder for the local archive.

    Args:
        accession: The series.
        title: Its title.
        summary: What it is about.
        published: Day it became public.
        updated: Day of the last change.
        submitted: Day of submission.
        type: What it measures; several are joined by ``;``.
        pubmed_id: A publication.
        sequence_study: Study in the sequence archive (SRP…) that its ``SRA`` relation names.
        project: BioProject that its relation names.
        subseries: Series it is the superseries of.
        superseries: Series it is a subseries of.
        institute: Institute of its contact.
        files: Supplementary files of the series itself, by name.
        attributes: Further attributes of the series (``overall_design`` …).
    """

    accession: str
    title: str = "A series made up for a test"
    summary: str = "What was measured does not matter."
    published: date = date(2020, 1, 1)
    updated: date = date(2020, 1, 2)
    submitted: date = date(2019, 12, 1)
    type: str = "Expression profiling by array"
    pubmed_id: str | None = None
    sequence_study: str | None = None
    project: str | None = None
    subseries: Sequence[str] = ()
    superseries: Sequence[str] = ()
    institute: str = "Institute of Made-up Studies"
    files: dict[str, bytes] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    samples: list[SyntheticGeoSample] = field(default_factory=list)
    platforms: dict[str, SyntheticPlatform] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """Number in the accession; samples without an accession are numbered from it."""
        return int(self.accession.removeprefix("GSE"))

    def add_platform(self, platform: SyntheticPlatform) -> None:
        """Describe a platform that is none of :data:`PLATFORMS`."""
        self.platforms[platform.accession] = platform

    def add_array_sample(
        self,
        accession: str | None = None,
        *,
        platform: str = "GPL570",
        cel: bytes | None = SOME_CEL,
        characteristics: Mapping[str, str] | None = None,
        values: Mapping[str, float] | None = None,
        **attributes: str,
    ) -> SyntheticGeoSample:
        """Add a sample that was hybridised to an array.

        Args:
            accession: GSM; one after the other if None.
            platform: GPL of the array.
            cel: Content of its CEL file, plain or gzipped; None for no file.
            characteristics: Of the first channel.
            values: The submitter's value of each probe; None for no table.
            **attributes: Attributes that differ from the defaults (``title``, ``organism_ch1``, ``molecule_ch1`` …); an
                empty text leaves one out.

        Returns:
            The sample, to be changed further if need be.
        """
        gsm = accession or self._next_accession()
        files = {} if cel is None else {f"{gsm}_array.CEL.gz": gzipped(cel)}
        added = self._sample(gsm, platform, {"type": "RNA", "label_ch1": "biotin"}, characteristics, attributes)
        added.files, added.values = files, values
        return added

    def add_sequenced_sample(
        self,
        accession: str | None = None,
        *,
        platform: str = "GPL16791",
        experiment: str | None = "",
        strategy: str = "RNA-Seq",
        characteristics: Mapping[str, str] | None = None,
        **attributes: str,
    ) -> SyntheticGeoSample:
        """Add a sample that was sequenced.

        Args:
            accession: GSM; one after the other if None.
            platform: GPL of the sequencer.
            experiment: SRX that its ``SRA`` relation names; made from the GSM's number if empty, none if None.
            strategy: ``library_strategy``.
            characteristics: Of the first channel.
            **attributes: As for :meth:`add_array_sample`.
        """
        gsm = accession or self._next_accession()
        told = {
            "type": "SRA",
            "instrument_model": self._platform(platform).title.partition(" (")[0],
            "library_strategy": strategy,
            "library_source": "transcriptomic",
            "library_selection": "cDNA",
        }
        added = self._sample(gsm, platform, told, characteristics, attributes)
        number = gsm.removeprefix("GSM")
        relations = [f"BioSample: https://www.ncbi.nlm.nih.gov/biosample/SAMN{number}"]
        if experiment is not None:
            relations.append(f"SRA: https://www.ncbi.nlm.nih.gov/sra?term={experiment or f'SRX{number}'}")
        added.attributes["relation"] = relations
        return added

    def write(self, root: Path) -> Path:
        """Write the study folder below ``root``, over an earlier version of it; returns the folder."""
        folder = root / self.accession
        for owner, files in ((self.accession, self.files), *((each.accession, each.files) for each in self.samples)):
            for name, content in files.items():
                write_bytes(folder / "files" / FILES_HOST / supplementary_path(owner, name), content)
        if self.pubmed_id is not None:
            record = pubmed_record(self.pubmed_id, title=self.title, year=self.published.year)
            write_json(folder / "pubmed.json", {self.pubmed_id: record})
        # Last: a folder counts as a study once this file is there.
        write_bytes(folder / "geo" / f"{self.accession}_family.soft.gz", gzipped(self.family().encode()))
        return folder

    def family(self) -> str:
        """The family file."""
        used = dict.fromkeys(value for each in self.samples for value in each.attributes["platform_id"])
        lines = ["^DATABASE = GeoMiame", "!Database_name = Gene Expression Omnibus (GEO)"]
        lines += _entity("SERIES", self.accession, self._series_attributes(list(used)))
        for accession in used:
            lines += _entity("PLATFORM", accession, _platform_attributes(self._platform(accession)))
        for sample in self.samples:
            urls = [_supplementary_url(sample.accession, name) for name in sample.files] or ["NONE"]
            lines += _entity("SAMPLE", sample.accession, sample.attributes | {"supplementary_file": urls})
            lines += _table(sample.values)
        return "\n".join(lines) + "\n"

    def _next_accession(self) -> str:
        return f"GSM9{self.number % 10_000:04d}{len(self.samples):04d}"

    def _platform(self, accession: str) -> SyntheticPlatform:
        found = self.platforms.get(accession) or PLATFORMS.get(accession)
        if found is None:
            message = f"Describe {accession} with add_platform()."
            raise KeyError(message)
        return found

    def _sample(
        self,
        gsm: str,
        platform: str,
        told: Mapping[str, str],
        characteristics: Mapping[str, str] | None,
        attributes: Mapping[str, str],
    ) -> SyntheticGeoSample:
        about = self._platform(platform)
        single = {
            "title": f"Sample {gsm.removeprefix('GSM')}",
            "geo_accession": gsm,
            "status": f"Public on {_english(self.published)}",
            "submission_date": _english(self.submitted),
            "last_update_date": _english(self.updated),
            "channel_count": "1",
            "source_name_ch1": "tissue",
            "organism_ch1": about.organism,
            "taxid_ch1": str(about.taxonomy_id),
            "molecule_ch1": "total RNA",
            "platform_id": platform,
            "contact_institute": self.institute,
            **told,
            **attributes,
        }
        listed = {name: [value] for name, value in single.items() if value}
        listed["characteristics_ch1"] = [f"{name}: {value}" for name, value in (characteristics or {}).items()]
        listed["series_id"] = [self.accession, *self.superseries]
        added = SyntheticGeoSample(accession=gsm, attributes=listed, files={})
        self.samples.append(added)
        return added

    def _series_attributes(self, platforms: Sequence[str]) -> dict[str, list[str]]:
        relations = [f"SuperSeries of: {each}" for each in self.subseries]
        relations += [f"SubSeries of: {each}" for each in self.superseries]
        if self.project:
            relations.append(f"BioProject: https://www.ncbi.nlm.nih.gov/bioproject/{self.project}")
        if self.sequence_study:
            relations.append(f"SRA: https://www.ncbi.nlm.nih.gov/sra?term={self.sequence_study}")
        return {
            "title": [self.title],
            "geo_accession": [self.accession],
            "status": [f"Public on {_english(self.published)}"],
            "submission_date": [_english(self.submitted)],
            "last_update_date": [_english(self.updated)],
            "pubmed_id": [self.pubmed_id] if self.pubmed_id else [],
            "summary": [self.summary],
            "type": [each.strip() for each in self.type.split(";")],
            "sample_id": [each.accession for each in self.samples],
            "contact_institute": [self.institute],
            "supplementary_file": [_supplementary_url(self.accession, name) for name in self.files],
            "platform_id": list(platforms),
            "relation": relations,
            **{name: [value] for name, value in self.attributes.items()},
        }


def supplementary_path(accession: str, name: str) -> str:
    """Where GEO keeps a supplementary file of a series or sample (https://ftp.ncbi.nlm.nih.gov/geo/README.txt)."""
    kind = {"GSE": "series", "GSM": "samples"}[accession[:3]]
    return f"geo/{kind}/{accession[:3]}{accession[3:][:-3]}nnn/{accession}/suppl/{name}"


def _supplementary_url(accession: str, name: str) -> str:
    return f"ftp://{FILES_HOST}/{supplementary_path(accession, name)}"


def _platform_attributes(platform: SyntheticPlatform) -> dict[str, list[str]]:
    return {
        "title": [platform.title],
        "geo_accession": [platform.accession],
        "status": ["Public on Nov 07 2003"],
        "technology": [platform.technology],
        "organism": [platform.organism],
        "taxid": [str(platform.taxonomy_id)],
        "manufacturer": [platform.manufacturer] if platform.manufacturer else [],
    }


def _entity(kind: str, name: str, attributes: Mapping[str, Iterable[str]]) -> list[str]:
    lines = [f"^{kind} = {name}"]
    lines += [f"!{kind.capitalize()}_{key} = {value}" for key, values in attributes.items() for value in values]
    return lines


def _table(values: Mapping[str, float] | None) -> list[str]:
    if values is None:
        return []
    rows = [f"{probe}\t{value}" for probe, value in values.items()]
    return ["#ID_REF =", "#VALUE = signal", "!sample_table_begin", "ID_REF\tVALUE", *rows, "!sample_table_end"]


def _english(day: date) -> str:
    """``Jan 02 2020``, as GEO writes days."""
    return f"{day:%b %d %Y}"
