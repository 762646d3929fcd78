"""IDF and SDRF of ArrayExpress, joined where both are given or lie beside each other.

Samples are those that :func:`survey_array_express` would store.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from refinebio_assets.domain.accessions import AccessionType
from refinebio_assets.domain.errors import RefinebioError
from refinebio_assets.inspection.content import Content, open_content
from refinebio_assets.inspection.describers import Describer, Recognition, Setting, begin
from refinebio_assets.inspection.report import Description
from refinebio_assets.survey.archive_rows import accession_of
from refinebio_assets.survey.array_express import survey_array_express
from refinebio_assets.survey.mage_tab import Idf, decode_mage_tab, header_key, parse_idf, parse_sdrf
from refinebio_assets.survey.registry import PlatformRegistry

IDF, SDRF = "mage_tab_idf", "mage_tab_sdrf"

_ACCESSION = re.compile(r"(E-[A-Z]{4}-[0-9]+)(?![0-9])", re.IGNORECASE)
_ARRAY_EXPRESS = frozenset({AccessionType.ARRAY_EXPRESS})
_SURE_LABELS = frozenset(
    map(
        header_key,
        ("Investigation Title", "MAGE-TAB Version", "Experimental Factor Name", "Person Last Name", "SDRF File"),
    )
)
_FIRST_COLUMNS = frozenset(map(header_key, ("Source Name", "Sample Name")))
_OTHER_COLUMNS = re.compile(
    r"characteristics?\[|commentx?\[|name$|ref$|file$|materialtype|factorvalue\[", re.IGNORECASE
)
_NO_IDF = "MAGE-TAB Version\t1.1\n"
_NOBODY = "E-NONE-0"  # stands for the study of an SDRF that nothing names; never shown
_LINES_LOOKED_AT = 60


def recognise(content: Content) -> Recognition | None:
    """An IDF has its labels in the first column, an SDRF its node names in the first line."""
    if "\0" in content.text or content.text.lstrip("\ufeff \r\n").startswith(("<", "{", "[")):
        return None
    lines = [line for line in content.text.splitlines()[:_LINES_LOOKED_AT] if line.strip() and not line.startswith("#")]
    if not lines or "\t" not in content.text:
        return None
    cells = [cell.strip().strip('"') for cell in lines[0].split("\t")]
    if header_key(cells[0]) in _FIRST_COLUMNS and _sdrf_columns(cells) >= 2:
        return Recognition(kind=SDRF, confidence=1.0, evidence=f"the header begins with {cells[0]!r}")
    labels = {header_key(line.split("\t")[0].strip('" ')) for line in lines}
    found = labels & _SURE_LABELS
    if found:
        return Recognition(kind=IDF, confidence=1.0, evidence=f"{len(found)} labels of an IDF in the first column")
    return None


def _sdrf_columns(cells: Sequence[str]) -> int:
    return sum(_OTHER_COLUMNS.search(cell.replace(" ", "")) is not None for cell in cells[1:])


def describe(content: Content, recognition: Recognition, setting: Setting) -> Description:
    """Read the file, look for its other half, and survey both."""
    text = decode_mage_tab(content.read())
    description = begin(recognition)
    if recognition.kind == IDF:
        _describe_idf(description, content, text, setting)
    else:
        _describe_sdrf(description, content, text, setting)
    return description


def _describe_idf(description: Description, content: Content, text: str, setting: Setting) -> None:
    idf = parse_idf(text, path=content.name)
    accession = _accession_of_idf(idf) or accession_in_name(content.name)
    description.header = {
        "accession": accession,
        "sdrf_files": list(idf.sdrf_files),
        "protocols": len(idf.protocols),
        "experiment_types": list(idf.comment("AEExperimentType")),
    }
    description.warnings += [f"line {each.line}: {each.message}" for each in idf.warnings]
    if accession is None:
        description.experiments.append({"accession": None, "title": idf.title})
        description.warnings.append("The IDF does not name its accession, so nothing can be stored from it.")
        return
    sdrfs = sdrf_paths(accession, idf, setting.siblings(content.path))
    add_study(description, accession, text, [_text(path) for path in sdrfs], setting.registry)
    description.header["joined_with"] = [path.name for path in sdrfs]
    if not sdrfs:
        description.warnings.append("No SDRF was given or lies beside the IDF: its samples are not known.")


def _describe_sdrf(description: Description, content: Content, text: str, setting: Setting) -> None:
    sdrf = parse_sdrf(text, path=content.name)
    description.columns = list(sdrf.headers)
    description.header = {"rows": len(sdrf.rows)}
    description.warnings += [f"line {each.line}: {each.message}" for each in sdrf.warnings]
    siblings = setting.siblings(content.path)
    found = _idf_of(content, siblings)
    if found is None:
        accession = accession_in_name(content.name)
        undecided = "No IDF was given or lies beside the SDRF: its samples have no state here."
        add_study(description, accession or _NOBODY, _NO_IDF, [text], setting.registry, undecided=undecided)
        if accession is None:
            _forget_nobody(description, Path(content.name).name)
        return
    path, idf, accession = found
    others = sdrf_paths(accession, idf, [content.path, *siblings] if content.path is not None else siblings)
    add_study(description, accession, _text(path), [_text(each) for each in others], setting.registry)
    description.header["joined_with"] = [path.name, *(each.name for each in others if each != content.path)]
    _keep_own(description, content, idf, others)


def _keep_own(description: Description, content: Content, idf: Idf, sdrfs: Sequence[Path]) -> None:
    """Only the samples of this SDRF, where the study has several."""
    names = list(idf.sdrf_files)
    if content.path is None or len(sdrfs) < 2 or len(names) != len(sdrfs) or content.path not in sdrfs:
        return
    own = names[list(sdrfs).index(content.path)]
    description.samples = [each for each in description.samples if each["annotations"]["assay"]["sdrf"] == own]


def add_study(
    description: Description,
    accession: str,
    idf: str,
    sdrfs: Sequence[str],
    registry: PlatformRegistry,
    *,
    study: Mapping[str, Any] | None = None,
    undecided: str | None = None,
) -> None:
    """Survey the parts of a study that are at hand."""
    payload = {
        "source": "ARRAY_EXPRESS", "accession": accession, "study": study, "info": None,
        "idf": idf, "sdrf": list(sdrfs), "files": [], "publication": None, "sequence_studies": [],
    }  # fmt: skip
    description.add_survey(survey_array_express(payload, registry), undecided=undecided)


def add_joined_study(
    description: Description,
    accession: str,
    idf: Path,
    siblings: Sequence[Path],
    registry: PlatformRegistry,
    *,
    study: Mapping[str, Any],
) -> None:
    """Survey a study of BioStudies with its IDF, and the SDRFs among some files."""
    text = _text(idf)
    sdrfs = sdrf_paths(accession, parse_idf(text, path=str(idf)), siblings)
    add_study(description, accession, text, [_text(path) for path in sdrfs], registry, study=study)
    description.header["joined_with"] = [idf.name, *(path.name for path in sdrfs)]


def _forget_nobody(description: Description, name: str) -> None:
    """Assays without the study's accession that was put in its place."""
    description.experiments.clear()
    for sample in description.samples:
        sample["accession"] = sample["accession"].removeprefix(f"{_NOBODY}-")
        sample["aliases"] = [each for each in sample["aliases"] if not each.startswith(_NOBODY)]
        sample["files"] = []  # their addresses have the study's accession in them
        annotations = sample["annotations"]
        sample["annotations"] = annotations | {
            "assay": annotations["assay"] | {"sdrf": name},
            "files": [each | {"url": None} for each in annotations["files"]],
        }
    description.warnings.append(
        "Neither the SDRF nor its name tells the study: accessions are those of the assays alone."
    )


def accession_in_name(name: str) -> str | None:
    """The ArrayExpress accession in a file's name."""
    found = _ACCESSION.search(Path(name).name)
    return found.group(1).upper() if found else None


def _accession_of_idf(idf: Idf) -> str | None:
    named = (accession_of(value, _ARRAY_EXPRESS) for value in idf.comment("ArrayExpressAccession"))
    return next(filter(None, named), None)


def sdrf_paths(accession: str, idf: Idf, candidates: Sequence[Path]) -> list[Path]:
    """The SDRFs of a study among some files: those its IDF names, else those named after its accession."""
    readable = [path for path in dict.fromkeys(candidates) if _may_be(path, "sdrf") and _kind(path) == SDRF]
    named = [path for name in idf.sdrf_files for path in readable if _plain(path) == name.lower()]
    if named:
        return list({_plain(path): path for path in reversed(named)}.values())[::-1]
    return [path for path in readable if accession_in_name(path.name) == accession]


def idf_path(accession: str, candidates: Sequence[Path]) -> Path | None:
    """The IDF of a study among some files."""
    return next(
        (
            path
            for path in candidates
            if _may_be(path, "idf") and accession_in_name(path.name) == accession and _kind(path) == IDF
        ),
        None,
    )


def _idf_of(content: Content, siblings: Sequence[Path]) -> tuple[Path, Idf, str] | None:
    """The IDF that names this SDRF, else the one named after the same accession."""
    own = _plain(Path(content.name))
    for path in siblings:
        if not _may_be(path, "idf") or _kind(path) != IDF:
            continue
        idf = parse_idf(_text(path), path=str(path))
        accession = _accession_of_idf(idf) or accession_in_name(path.name)
        names = own in [name.lower() for name in idf.sdrf_files]
        if accession is not None and (names or accession_in_name(content.name) == accession):
            return path, idf, accession
    return None


def _may_be(path: Path, what: str) -> bool:
    """Whether the name allows it; spares opening every file of a folder."""
    return what in path.name.lower() or (
        path.suffix.lower() in (".txt", ".tsv") and accession_in_name(path.name) is not None
    )


def _plain(path: Path) -> str:
    name = path.name.lower()
    return name.removesuffix(".gz").removesuffix(".bz2").removesuffix(".xz")


def _kind(path: Path) -> str | None:
    try:
        recognition = recognise(open_content(path))
    except RefinebioError:  # a file that cannot be read is no part of this study; it has an answer of its own
        return None
    return recognition.kind if recognition else None


def _text(path: Path) -> str:
    return decode_mage_tab(open_content(path).read())


DESCRIBERS = (Describer(recognise=recognise, describe=describe),)
