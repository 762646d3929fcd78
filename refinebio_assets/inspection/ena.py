"""Rows of ENA's portal (JSON, TSV, CSV) and the SRA's XML: runs as :func:`survey_sra` would store them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from refinebio_assets.domain.accessions import EXPERIMENT_TYPES, AccessionType
from refinebio_assets.domain.errors import RefinebioError
from refinebio_assets.domain.organisms import organism_key
from refinebio_assets.inspection.content import Content, open_content
from refinebio_assets.inspection.describers import Describer, Recognition, Setting, begin
from refinebio_assets.inspection.report import Description, plain_sample, sample_view
from refinebio_assets.inspection.xml_root import root_element
from refinebio_assets.survey.archive_rows import Row, accession_of, accessions, text
from refinebio_assets.survey.biosamples import flatten_biosample
from refinebio_assets.survey.harmonisation import harmonize
from refinebio_assets.survey.registry import PlatformRegistry
from refinebio_assets.survey.sra import survey_sra
from refinebio_assets.survey.sra_xml import ROOTS, SraXml, join_sra_xml, read_sra_xml

READ_RUN, STUDY = "ena_read_run", "ena_study"
PACKAGES = "sra_experiment_package_set"

_DECIDING = ("library_strategy", "library_source", "instrument_model", "scientific_name")
_FILE_COLUMNS = ("fastq_ftp", "sra_ftp", "sra_bytes", "sra_md5")
_RUNS = frozenset({AccessionType.SRA_RUN})
_NO_STUDY = "SRP000000"  # stands for the study of rows that name none; never shown
_MORE_COLUMNS = "The file lacks columns that a survey asks for ({}): its samples have no state here."


def add_runs(
    description: Description,
    rows: Sequence[Row],
    registry: PlatformRegistry,
    *,
    payloads: Iterable[Mapping[str, Any]] | None = None,
) -> None:
    """Survey rows of ``read_run``, study by study.

    Args:
        description: Gets experiments and samples.
        rows: The rows.
        registry: Supported platforms.
        payloads: The payloads of the studies, if more than the rows is known of them.
    """
    undecided = _lacking(rows)
    left = [row for row in rows if _study_of(row) is None]
    for payload in _by_study(rows) if payloads is None else payloads:
        description.add_survey(survey_sra(payload, registry), undecided=undecided)
    if left:
        result = survey_sra(_payload(_NO_STUDY, left), registry)
        description.samples += [sample_view(each, is_decided=undecided is None) for each in result.samples]
        description.warnings.append(f"{len(left)} rows name no study.")
    nameless = sum(not accessions(row, "run_accession", _RUNS) for row in rows)
    if nameless:
        description.warnings.append(f"{nameless} rows name no run.")
    if undecided:
        description.warnings.append(undecided)


def _study_of(row: Row) -> str | None:
    for column in ("secondary_study_accession", "study_accession"):
        found = accessions(row, column, EXPERIMENT_TYPES)
        if found:
            return found[0]
    return None


def _by_study(rows: Sequence[Row]) -> list[dict[str, Any]]:
    by_study: dict[str, list[Row]] = {}
    for row in rows:
        if (study := _study_of(row)) is not None:
            by_study.setdefault(study, []).append(row)
    return [_payload(study, members) for study, members in by_study.items()]


def _payload(study: str, rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "source": "SRA",
        "accession": study,
        "read_run": list(rows),
        "study": [],
        "biosamples": {},
        "publication": None,
    }


def _lacking(rows: Sequence[Row]) -> str | None:
    """What of the rows' columns is not there, so that nothing can be decided from them; None if all is."""
    columns = {column for row in rows for column in row}
    lacking = [column for column in _DECIDING if column not in columns]
    if not columns & set(_FILE_COLUMNS):
        lacking.append(_FILE_COLUMNS[0])
    return _MORE_COLUMNS.format(", ".join(lacking)) if lacking else None


def describe_rows(
    rows: Sequence[Row], setting: Setting, *, kind: str, evidence: str, columns: Sequence[str]
) -> Description:
    """Rows of ``read_run`` or a file report."""
    description = Description(kind=kind, evidence=[evidence], columns=list(columns), header={"rows": len(rows)})
    add_runs(description, rows, setting.registry)
    return description


def describe_studies(rows: Sequence[Row], *, evidence: str, columns: Sequence[str]) -> Description:
    """Rows of ENA's study table: experiments without samples."""
    description = Description(kind=STUDY, evidence=[evidence], columns=list(columns), header={"rows": len(rows)})
    for row in rows:
        accession = text(row, "secondary_study_accession") or text(row, "study_accession")
        description.experiments.append(_study_view(accession, row))
    return description


def _study_view(accession: str, row: Row) -> dict[str, Any]:
    columns = ("study_accession", "study_alias", "geo_accession")
    aliases = dict.fromkeys(each for column in columns for each in accessions(row, column, EXPERIMENT_TYPES))
    return {
        "accession": accession,
        "title": text(row, "study_title") or accession,
        "description": text(row, "study_description"),
        "aliases": [alias for alias in aliases if alias != accession],
        "institution": text(row, "center_name") or None,
        "pubmed_id": text(row, "pubmed_id") or None,
        "first_published": text(row, "first_public") or None,
        "last_updated": text(row, "last_updated") or None,
        "annotations": {column: value for column, value in row.items() if value not in (None, "")},
    }


def recognise_xml(content: Content) -> Recognition | None:
    """The root element is one of the SRA schema's."""
    root = root_element(content)
    if root not in ROOTS:
        return None
    kind = PACKAGES if root.startswith("EXPERIMENT_PACKAGE") else f"sra_{root.lower()}"
    return Recognition(kind=kind, confidence=1.0, evidence=f"the root element is {root}")


def describe_xml(content: Content, recognition: Recognition, setting: Setting) -> Description:
    """Runs where the document has any; else its experiments, samples or studies for themselves.

    Sets of one study that are given together complete each other: a RUN_SET gets its library from the EXPERIMENT_SET.
    """
    with content.stream() as stream:
        own = read_sra_xml(stream, name=content.name)
    others = [read_sra_xml(path) for path in setting.given if path != content.path and _is_set(path)]
    document = join_sra_xml([own, *others]) if recognition.kind != PACKAGES else own
    description = begin(recognition)
    description.header = {
        table: len(getattr(own, table)) for table in ("runs", "experiments", "samples", "studies", "submissions")
    } | {"joined_documents": len(others) if recognition.kind != PACKAGES else 0}
    if own.without_accession:
        description.warnings.append(f"{own.without_accession} entities have no accession of their archive.")
    _add_entities(description, own, document, setting.registry)
    return description


def _is_set(path: Path) -> bool:
    try:
        content = open_content(path)
    except RefinebioError:  # it has an answer of its own
        return False
    root = root_element(content)
    return root in ROOTS and not content.layers and not root.startswith("EXPERIMENT_PACKAGE")


def _add_entities(description: Description, own: SraXml, document: SraXml, registry: PlatformRegistry) -> None:
    if own.runs:
        rows = [row for row in document.read_runs() if row["run_accession"] in own.runs]
        payloads = [
            payload | {"read_run": [row for row in payload["read_run"] if row["run_accession"] in own.runs]}
            for payload in document.payloads()
        ]
        add_runs(description, rows, registry, payloads=[each for each in payloads if each["read_run"]])
        return
    description.experiments += [_study_view(accession, row) for accession, row in own.studies.items()]
    description.samples += [_experiment_sample(accession, row) for accession, row in own.experiments.items()]
    if not own.experiments:
        description.samples += [_material(accession, row) for accession, row in own.samples.items()]
    if own.submissions:
        description.header["submission"] = list(own.submissions.values())
    description.warnings.append("The document holds no runs: what is stored are runs, one sample each.")


def _experiment_sample(accession: str, row: Row) -> dict[str, Any]:
    instrument = text(row, "instrument_model")
    return plain_sample(
        accession,
        title=text(row, "experiment_title"),
        platform="".join(instrument.split()) or None,
        annotations={"experiment": dict(row)},
    )


def _material(accession: str, row: Row) -> dict[str, Any]:
    biosample = row.get("biosample", {})
    harmonization = harmonize([("biosample", flatten_biosample(biosample))])
    return plain_sample(
        accession,
        title=harmonization.title or text(row, "sample_title"),
        organism=organism_of(text(row, "scientific_name")),
        harmonized=harmonization.values,
        annotations={"sample": dict(row)},
    )


def organism_of(name: str) -> str | None:
    """The UPPER_SNAKE organism; None for no name, and for what is none."""
    try:
        return organism_key(name) if name else None
    except ValueError:
        return None


def run_of(row: Row) -> str | None:
    """The run that a row names, if it names one."""
    return accession_of(text(row, "run_accession"), _RUNS)


DESCRIBERS = (Describer(recognise=recognise_xml, describe=describe_xml),)
