"""The experiment record of an ArrayExpress study: from the IDF, and from BioStudies where the IDF says nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from refinebio_assets.domain.accessions import EXPERIMENT_TYPES, SourceArchive, mirrored_series, own_archive
from refinebio_assets.domain.records import ExperimentRecord
from refinebio_assets.domain.vocabulary import Technology
from refinebio_assets.survey.archive_rows import Row, accession_of, as_text, calendar_date, text
from refinebio_assets.survey.array_express_assays import Assays
from refinebio_assets.survey.biostudies import (
    ORGANIZATION,
    PROTOCOLS,
    PUBLICATION,
    STUDIES_URL,
    Study,
    StudyInfo,
)
from refinebio_assets.survey.harmonisation_rules import HARMONISATION_VERSION
from refinebio_assets.survey.mage_tab import Idf, Publication, Sdrf, header_key

NO_DESCRIPTION = "No description."

_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:\s*)?(10\.[0-9]{4,9}/\S+)", re.IGNORECASE)
_PUBMED = re.compile(r"[0-9]{1,9}")
_CONTACTS = frozenset(map(header_key, ("Person Email", "Person Phone", "Person Fax")))
_NOTHING: Row = MappingProxyType({})
_PAGE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyTexts:
    """The documents about a study."""

    study: Study | None
    info: StudyInfo | None
    idf: Idf

    @property
    def study_types(self) -> tuple[str, ...]:
        """What the study says it measures: EFO names such as ``transcription profiling by array``."""
        types = list(self.idf.comment("AEExperimentType"))
        if self.study is not None:
            types += self.study.sections[0].values("Study type")
        return tuple(dict.fromkeys(types))

    @property
    def access_text(self) -> str:
        """The texts in which an access committee would be named."""
        links = self.study.links if self.study is not None else ()
        comments = [value for name in ("SecondaryAccession", "SequenceDataURI") for value in self.idf.comment(name)]
        return "\n".join([*comments, self.idf.first("Experiment Description"), *(link.url for link in links)])


def experiment_record(
    accession: str,
    texts: StudyTexts,
    sdrfs: Sequence[Sdrf],
    found: Assays,
    *,
    looked_up: Row = _NOTHING,
    studies: Sequence[str] | None = None,
) -> ExperimentRecord:
    """The record of a study.

    Args:
        accession: Its accession.
        texts: The documents about it.
        sdrfs: Its SDRFs.
        found: Their assays.
        looked_up: What PubMed says about its publication; empty if it was not asked.
        studies: The sequencing studies that ENA has for its reads; None if it was not asked.
    """
    idf, study, info = texts.idf, texts.study, texts.info
    publication = _publication(texts)
    released = calendar_date(idf.first("Public Release Date")) or (info.released if info else None)
    return ExperimentRecord(
        accession=accession,
        source=SourceArchive.ARRAY_EXPRESS,
        title=idf.title or (study.title if study else "") or accession,
        description=idf.first("Experiment Description") or (study.description if study else "") or NO_DESCRIPTION,
        technology=_technology(found),
        aliases=_aliases(accession, texts, studies or ()),
        institution="; ".join(_institutions(texts)) or None,
        protocol=_protocol(texts),
        pubmed_id=publication.pubmed_id or None,
        publication_doi=text(looked_up, "doi") or publication.doi or None,
        publication_title=text(looked_up, "title") or publication.title or None,
        publication_authors=_looked_up_authors(looked_up) or _authors(publication.authors),
        source_url=f"{STUDIES_URL}/{accession}",
        first_published=released or (study.release_date if study else None),
        last_updated=info.modified if info else None,
        annotations=_annotations(texts, sdrfs, found)
        | ({"sequence_studies": list(studies)} if studies is not None else {}),
    )


def _technology(found: Assays) -> Technology:
    """Arrays if there are any: the sequencing assays of a mixed study belong to its ENA study."""
    technologies = {assay.technology for assay in found.assays}
    known = (Technology.MICROARRAY, Technology.RNA_SEQ)
    return next((each for each in known if each in technologies), Technology.UNKNOWN)


def _aliases(accession: str, texts: StudyTexts, studies: Sequence[str]) -> tuple[str, ...]:
    """The study's accessions in ENA, SRA and GEO, and an older one in ArrayExpress.

    A study that names no sequencing study has the one that ENA has for its reads, if it is one only.
    """
    named = [*texts.idf.comment("SecondaryAccession"), *texts.idf.comment("ArrayExpressAccession")]
    if texts.study is not None:
        named += [link.url for link in texts.study.sections[0].links]
    named.append(mirrored_series(accession) or "")
    parts = (part for each in named for part in re.split(r"[;,\s]+", each))
    found = {alias for part in parts if (alias := accession_of(part, EXPERIMENT_TYPES)) is not None}
    if len(studies) == 1 and not any(own_archive(alias) is SourceArchive.SRA for alias in found):
        found.update(studies)
    return tuple(sorted(found - {accession}))


def _institutions(texts: StudyTexts) -> tuple[str, ...]:
    names = texts.idf.filled("Person Affiliation")
    if not names and texts.study is not None:
        names = tuple(section.first("Name") for section in texts.study.of_type(ORGANIZATION))
    return tuple(dict.fromkeys(filter(None, names)))


def _protocol(texts: StudyTexts) -> str | None:
    named = [(each.type or each.name, each.description) for each in texts.idf.protocols]
    if not named and texts.study is not None:
        sections = texts.study.of_type(PROTOCOLS)
        named = [(each.first("Type") or each.first("Name"), each.first("Description")) for each in sections]
    told = [f"{kind}: {_PAGE_BREAK.sub(chr(10), description)}" for kind, description in named if description]
    return "\n\n".join(dict.fromkeys(told)) or None


def _publication(texts: StudyTexts) -> Publication:
    """The first publication with a PubMed id, else the first; old files have the PubMed id in place of the DOI."""
    publications = list(texts.idf.publications)
    if texts.study is not None:
        publications += [
            Publication(
                pubmed_id=each.accession,
                doi=each.first("DOI"),
                title=each.first("Title"),
                authors=each.first("Authors"),
            )
            for each in texts.study.of_type(PUBLICATION)
        ]
    checked = [
        Publication(
            pubmed_id=each.pubmed_id if _PUBMED.fullmatch(each.pubmed_id) else "",
            doi=match.group(1) if (match := _DOI.fullmatch(each.doi)) else "",
            title=each.title,
            authors=each.authors,
        )
        for each in publications
    ]
    return next((each for each in checked if each.pubmed_id), next(iter(checked), Publication()))


def _looked_up_authors(publication: Row) -> tuple[str, ...]:
    authors = publication.get("authors")
    return tuple(filter(None, map(as_text, authors))) if isinstance(authors, list | tuple) else ()


def _authors(names: str) -> tuple[str, ...]:
    """Authors of a list that is separated by semicolons, or else by commas."""
    separator = r"\s*;\s*" if ";" in names else r"\s*,\s*(?:and\s+)?|\s+and\s+"
    return tuple(filter(None, (part.strip().rstrip(".") for part in re.split(separator, names))))


def _annotations(texts: StudyTexts, sdrfs: Sequence[Sdrf], found: Assays) -> dict[str, Any]:
    """The IDF without the persons' addresses, and what the survey counted and wondered about."""
    warnings = [*texts.idf.warnings, *(warning for sdrf in sdrfs for warning in sdrf.warnings)]
    fields = {
        label: list(values)
        for label, values in texts.idf.fields.items()
        if any(values) and header_key(label) not in _CONTACTS
    }
    return {
        "idf": fields,
        "survey": {
            "rows": sum(len(sdrf.rows) for sdrf in sdrfs),
            "assays": len(found.assays),
            "rows_without_assay": list(found.rows_without_assay),
            "warnings": [str(warning) for warning in warnings],
            "harmonisation_version": HARMONISATION_VERSION,
        },
    }
