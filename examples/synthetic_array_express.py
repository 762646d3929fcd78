"""ArrayExpress studies made up for tests: BioStudies documents, MAGE-TAB and files, written as a study folder.

    study = SyntheticArrayExpressStudy("E-MTAB-900001")
    study.add_array_assay(characteristics={"organism part": "liver"})
    study.add_sequencing_assay(run="ERR900000001")
    study.write(tmp_path)               # -> tmp_path/E-MTAB-900001, ready for LocalArchive(tmp_path)

A study with arrays and sequencing has two SDRFs (``.hyb.sdrf.txt``, ``.seq.sdrf.txt``), as in ArrayExpress.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from examples.synthetic_files import pubmed_record, write_bytes, write_json
from examples.synthetic_geo import SOME_CEL

Cells = list[tuple[str, str]]


@dataclass(slots=True, kw_only=True)
class SyntheticAssay:
    """An assay: the cells of its SDRF row under their headers, in order, and its data file, if it has one."""

    name: str
    cells: Cells
    is_sequencing: bool
    file: tuple[str, bytes] | None = None


@dataclass(slots=True)
class SyntheticArrayExpressStudy:
    """Builds a study folder for the local archive.

    Args:
        accession: The study (E-…).
        title: Its title.
        description: What it is about.
        organism: Scientific name, for the study and as default of its assays.
        released: Day it became public.
        modified: Day of the last change.
        study_type: What it measures (an EFO name).
        sequence_study: Study in ENA that holds its reads.
        pubmed_id: A publication.
        institute: Affiliation of its contact.
        has_file_list: Whether data files are listed in a document of their own, as large studies list them.
        has_info: Whether BioStudies tells when it changed.
        encoding: Of IDF and SDRF.
    """

    accession: str
    title: str = "A study made up for a test"
    description: str = "What was measured does not matter."
    organism: str = "Homo sapiens"
    released: date = date(2020, 1, 1)
    modified: date = date(2020, 1, 2)
    study_type: str = "transcription profiling by array"
    sequence_study: str | None = None
    pubmed_id: str | None = None
    institute: str = "Institute of Made-up Studies"
    has_file_list: bool = False
    has_info: bool = True
    encoding: str = "utf-8"
    assays: list[SyntheticAssay] = field(default_factory=list)

    def add_array_assay(
        self,
        name: str | None = None,
        *,
        design: str = "A-AFFY-44",
        file: bytes | None = SOME_CEL,
        filename: str | None = None,
        label: str = "biotin",
        characteristics: Mapping[str, str] | None = None,
        factors: Mapping[str, str] | None = None,
    ) -> SyntheticAssay:
        """Add an assay on an array.

        Args:
            name: Its name; numbered if None.
            design: Array design (A-AFFY-44 is Affymetrix' U133 Plus 2.0).
            file: Content of its raw file; None for no file.
            filename: Name of that file; ``{name}.CEL`` if None.
            label: What its extract was labelled with.
            characteristics: Of its source; ``organism`` is the study's if not given.
            factors: Factor values.

        Returns:
            The assay, to be changed further if need be.
        """
        assay = name or f"chip {len(self.assays) + 1}"
        path = filename or f"{assay.replace(' ', '_')}.CEL"
        cells = self._source(assay, characteristics)
        cells += [
            ("Labeled Extract Name", f"labelled extract of {assay}"),
            ("Label", label),
            ("Assay Name", assay),
            ("Technology Type", "array assay"),
            ("Array Design REF", design),
            ("Array Data File", "" if file is None else path),
        ]
        return self._added(assay, cells, factors, file=None if file is None else (path, file))

    def add_sequencing_assay(
        self,
        name: str | None = None,
        *,
        run: str | None = "",
        strategy: str = "RNA-Seq",
        source: str = "TRANSCRIPTOMIC",
        characteristics: Mapping[str, str] | None = None,
        factors: Mapping[str, str] | None = None,
    ) -> SyntheticAssay:
        """Add a sequencing assay.

        Args:
            name: Its name; numbered if None.
            run: Run in ENA; numbered if empty, none if None.
            strategy: ``LIBRARY_STRATEGY``.
            source: ``LIBRARY_SOURCE``.
            characteristics: As for :meth:`add_array_assay`.
            factors: Factor values.
        """
        assay = name or f"library {len(self.assays) + 1}"
        number = f"9{int(self.accession.rpartition('-')[2]) % 10_000:04d}{len(self.assays):04d}"
        accession = f"ERR{number}" if run == "" else run or ""
        cells = self._source(assay, characteristics)
        cells += [
            ("Comment[LIBRARY_STRATEGY]", strategy),
            ("Comment[LIBRARY_SOURCE]", source),
            ("Comment[LIBRARY_SELECTION]", "cDNA"),
            ("Assay Name", assay),
            ("Technology Type", "sequencing assay"),
            ("Comment[ENA_EXPERIMENT]", f"ERX{accession[3:]}" if accession else ""),
            ("Comment[ENA_RUN]", accession),
        ]
        return self._added(assay, cells, factors, is_sequencing=True)

    def write(self, root: Path) -> Path:
        """Write the study folder below ``root``, over an earlier version of it; returns the folder."""
        folder = root / self.accession
        home = folder / "biostudies" / self.accession
        for name, content in self.documents().items():
            write_bytes(home / "files" / name, content)
        for name, content in self._data_files():
            write_bytes(home / "files" / name, content)
        if self.has_file_list:
            rows = [_file(name, content) for name, content in self._data_files()]
            write_json(home / "files" / f"{self._file_list}.json", rows)
        if self.pubmed_id is not None:
            record = pubmed_record(self.pubmed_id, title=self.title, year=self.released.year)
            write_json(folder / "pubmed.json", {self.pubmed_id: record})
        if self.has_info:
            write_json(home / "info.json", self.info())
        # Last: a folder counts as a study once this file is there.
        write_json(home / "study.json", self.study())
        return folder

    def documents(self) -> dict[str, bytes]:
        """IDF and SDRFs by name."""
        groups = {"hyb": [each for each in self.assays if not each.is_sequencing]}
        groups["seq"] = [each for each in self.assays if each.is_sequencing]
        told = {kind: assays for kind, assays in groups.items() if assays}
        names = {
            kind: f"{self.accession}.{kind}.sdrf.txt" if len(told) > 1 else f"{self.accession}.sdrf.txt"
            for kind in told
        }
        texts = {f"{self.accession}.idf.txt": self._idf(list(names.values()))}
        texts |= {names[kind]: _sdrf(assays) for kind, assays in told.items()}
        return {name: text.encode(self.encoding) for name, text in texts.items()}

    def study(self) -> dict[str, Any]:
        """BioStudies' document, as its API spells it."""
        designs = dict.fromkeys(
            value for each in self.assays for name, value in each.cells if name == "Array Design REF"
        )
        data: dict[str, Any] = {"accno": "raw-data", "type": "Raw Data"}
        if self.has_file_list:
            data["attributes"] = [{"name": "File List", "value": f"{self._file_list}.tsv"}]
        else:
            data["files"] = [[_file(name, content) for name, content in self._data_files()]]
        documents = [_file(name, content) for name, content in self.documents().items()]
        parts = [
            data,
            {"accno": f"mt-{self.accession}", "type": "MAGE-TAB Files", "files": [documents]},
            {
                "accno": f"ad-{self.accession}",
                "type": "Array Designs",
                "links": [[_link(design, "Array Design") for design in designs]],
            },
        ]
        return {
            "accno": self.accession,
            "attributes": [
                {"name": "Title", "value": self.title},
                {"name": "ReleaseDate", "value": self.released.isoformat()},
                {"name": "AttachTo", "value": "ArrayExpress"},
            ],
            "section": {
                "accno": f"s-{self.accession}",
                "type": "Study",
                "attributes": [
                    {"name": "Title", "value": self.title},
                    {"name": "Study type", "value": self.study_type},
                    {"name": "Organism", "value": self.organism},
                    {"name": "Description", "value": self.description},
                ],
                "links": [[_link(self.sequence_study, "ENA")]] if self.sequence_study else [],
                "subsections": [{"accno": "assays-data", "type": "Assays and Data", "subsections": parts}],
            },
            "type": "submission",
        }

    def info(self) -> dict[str, Any]:
        """What BioStudies tells about the study's files."""
        return {
            "files": len(self.documents()) + len(self._data_files()),
            "ftpLink": f"ftp://ftp.ebi.ac.uk/biostudies/fire/{self.accession}",
            "httpLink": f"https://ftp.ebi.ac.uk/biostudies/fire/{self.accession}",
            "released": _milliseconds(self.released),
            "modified": _milliseconds(self.modified),
            "isPublic": True,
        }

    @property
    def _file_list(self) -> str:
        return f"{self.accession}_raw_data"

    def _data_files(self) -> list[tuple[str, bytes]]:
        return [each.file for each in self.assays if each.file is not None]

    def _source(self, assay: str, characteristics: Mapping[str, str] | None) -> Cells:
        told = {"organism": self.organism, **(characteristics or {})}
        return [
            ("Source Name", f"source of {assay}"),
            *((f"Characteristics[{name}]", value) for name, value in told.items()),
            ("Extract Name", f"extract of {assay}"),
        ]

    def _added(
        self,
        name: str,
        cells: Cells,
        factors: Mapping[str, str] | None,
        *,
        is_sequencing: bool = False,
        file: tuple[str, bytes] | None = None,
    ) -> SyntheticAssay:
        told = [*cells, *((f"Factor Value[{factor}]", value) for factor, value in (factors or {}).items())]
        assay = SyntheticAssay(name=name, cells=told, is_sequencing=is_sequencing, file=file)
        self.assays.append(assay)
        return assay

    def _idf(self, sdrfs: Iterable[str]) -> str:
        rows = [
            ("MAGE-TAB Version", "1.1"),
            ("Investigation Title", self.title),
            ("Experiment Description", self.description),
            ("Person Affiliation", self.institute),
            ("Public Release Date", self.released.isoformat()),
            ("PubMed ID", self.pubmed_id or ""),
            ("SDRF File", *sdrfs),
            ("Comment[ArrayExpressAccession]", self.accession),
            ("Comment[AEExperimentType]", self.study_type),
            ("Comment[SecondaryAccession]", self.sequence_study or ""),
        ]
        return "".join("\t".join(row) + "\n" for row in rows if any(row[1:]))


def _sdrf(assays: list[SyntheticAssay]) -> str:
    """One row per assay under the headers of all, in the order in which an SDRF has to have them."""
    headers: list[str] = []
    for assay in assays:
        position = 0
        for header, _ in assay.cells:
            if header in headers:
                position = headers.index(header) + 1
            else:
                headers.insert(position, header)
                position += 1
    rows = [[dict(assay.cells).get(header, "") for header in headers] for assay in assays]
    return "".join("\t".join(row) + "\n" for row in [headers, *rows])


def _file(name: str, content: bytes) -> dict[str, Any]:
    kind = next((each for each in ("IDF", "SDRF") if name.endswith(f".{each.lower()}.txt")), "")
    attributes = [{"name": "Type", "value": f"{kind} File"}] if kind else []
    return {"path": name, "size": len(content), "type": "file", "attributes": attributes}


def _link(url: str, kind: str) -> dict[str, Any]:
    return {"url": url, "attributes": [{"name": "Type", "value": kind}]}


def _milliseconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
