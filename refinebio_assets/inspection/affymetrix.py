"""Affymetrix' files: CEL and CDF by their magic numbers, PGF, CLF and probe tables by their headers."""

from __future__ import annotations

import re
import struct
from collections import Counter
from typing import Any

import numpy as np

from refinebio_assets.inspection.content import Content
from refinebio_assets.inspection.describers import Describer, Recognition, Setting, begin
from refinebio_assets.inspection.report import Description
from refinebio_assets.microarray.cdf import ProbeSetType, read_cdf
from refinebio_assets.microarray.cel import CelFile, read_cel
from refinebio_assets.microarray.pgf import read_clf, read_pgf
from refinebio_assets.microarray.probe_tables import header_places, read_probe_table

CEL, CDF, PROBE_TABLE, PGF, CLF = "affymetrix_cel", "affymetrix_cdf", "probe_table", "affymetrix_pgf", "affymetrix_clf"

LARGEST_FILE_BYTES = 512 * 2**20

_CALVIN_INTENSITIES = re.compile(rb";\x01.{8}\0\0\0.affymetrix-calvin-(?:multi-)?intensity", re.DOTALL)
_FORMAT_VERSION = re.compile(r"#%(pgf|clf)_format_version=", re.MULTILINE)
_SECTION = re.compile(r"\s*\[(CEL|CDF)\]\s*[\r\n]+\s*Version=(\S+)")
_BINARY = {
    struct.pack("<2i", 64, 4): (CEL, "the magic number of binary CEL files, version 4"),
    **{
        struct.pack("<2i", 67, each): (CDF, f"the magic number of binary CDF files, version {each}")
        for each in range(1, 5)
    },
}


def recognise(content: Content) -> Recognition | None:
    """Magic numbers, or the first section of a text."""
    kind, evidence = _BINARY.get(content.head[:8], ("", ""))
    section = _SECTION.match(content.text)
    if section:
        kind, evidence = (
            (CEL if section[1] == "CEL" else CDF),
            f"the section [{section[1]}] with Version={section[2][:20]}",
        )
    elif _CALVIN_INTENSITIES.match(content.head):
        kind, evidence = CEL, "a generic file of the Command Console with intensities"
    return Recognition(kind=kind, confidence=1.0, evidence=evidence) if kind else None


def recognise_library(content: Content) -> Recognition | None:
    """``#%pgf_format_version``, or a header that names probe sets, x and y."""
    found = _FORMAT_VERSION.search(content.text[:4096])
    if found and content.text.startswith("#%"):
        kind = PGF if found[1] == "pgf" else CLF
        return Recognition(kind=kind, confidence=1.0, evidence=f"the header {found[0].rstrip('=')}")
    lines = [line for line in content.text.splitlines()[:50] if not line.startswith("#")]
    columns = re.split(r"[\t,]", lines[0].replace('"', "")) if lines and "\0" not in lines[0] else []
    places = header_places(columns)
    if places is None:
        return None
    named = ", ".join(columns[place].strip() for place in places.values())
    return Recognition(kind=PROBE_TABLE, confidence=0.9, evidence=f"the columns {named}")


def describe_cel(content: Content, recognition: Recognition, setting: Setting) -> Description:
    """Header, array and intensities, read by the reader that processing uses."""
    cel = read_cel(content.read(largest=LARGEST_FILE_BYTES))
    description = begin(recognition)
    description.header = {
        "version": cel.version,
        "chip_type": cel.chip_type,
        "platform": _platform(cel, setting),
        "rows": cel.rows,
        "cols": cel.cols,
        "scan_date": cel.scan_date,
        "algorithm": cel.algorithm,
        "intensity": _distribution(cel),
        "outliers": int(cel.outliers.sum()),
        "masked": int(cel.masked.sum()),
        "parameters": dict(cel.header),
    }
    description.warnings = [warning.message for warning in cel.warnings]
    return description


def _platform(cel: CelFile, setting: Setting) -> dict[str, Any]:
    code = cel.platform_code()
    known = setting.registry.microarray_platform(code) if code else None
    if known is None:
        return {"code": code, "name": None, "is_supported": False, "has_brainarray": False}
    return {"code": known.accession, "name": known.name, "is_supported": True, "has_brainarray": known.has_brainarray}


def _distribution(cel: CelFile) -> dict[str, float]:
    quantiles = np.quantile(cel.intensities, (0, 0.25, 0.5, 0.75, 1)).tolist()
    return dict(zip(("minimum", "lower_quartile", "median", "upper_quartile", "maximum"), quantiles, strict=True))


def describe_cdf(content: Content, recognition: Recognition, _: Setting) -> Description:
    """Size of the array, probe sets by type, cells."""
    cdf = read_cdf(content.read(largest=LARGEST_FILE_BYTES))
    description = begin(recognition)
    types = Counter(ProbeSetType(each).name.lower() for each in cdf.types.tolist())
    description.header = {
        "version": cdf.version,
        "chip_type": cdf.chip_type,
        "rows": cdf.rows,
        "cols": cdf.cols,
        "probe_sets": len(cdf.probe_sets),
        "types": dict(sorted(types.items())),
        "groups": len(cdf.groups),
        "cells": len(cdf.x),
        "perfect_matches": int(cdf.is_pm.sum()),
        "quality_control_units": cdf.quality_control_units,
    }
    return description


def describe_library(content: Content, recognition: Recognition, _: Setting) -> Description:
    """Probes and probe sets of a table or of a library file of the ST arrays."""
    data = content.read(largest=LARGEST_FILE_BYTES)
    description = begin(recognition)
    if recognition.kind == PROBE_TABLE:
        table = read_probe_table(data)
        letters = 0 if table.sequence is None else int((table.sequence != b"").sum())
        description.header = {"probes": len(table), "probe_sets": len(table.probe_sets), "sequences": letters}
    elif recognition.kind == PGF:
        pgf = read_pgf(data)
        types = Counter(pgf.types[each] for each in pgf.probe_set_type.tolist())
        description.header = {
            "chip_types": list(pgf.header.get("chip_type", ())),
            "probes": len(pgf.probe_id),
            "probe_sets": len(pgf.probe_sets),
            "types": dict(sorted(types.items())),
            "main_probes": int(pgf.is_main.sum()),
        }
    else:
        clf = read_clf(data)
        chips = list(clf.header.get("chip_type", ()))
        description.header = {"chip_types": chips, "rows": clf.rows, "cols": clf.cols, "probes": len(clf.probe_id)}
    return description


def _describe(content: Content, recognition: Recognition, setting: Setting) -> Description:
    return (describe_cel if recognition.kind == CEL else describe_cdf)(content, recognition, setting)


DESCRIBERS = (
    Describer(recognise=recognise, describe=_describe),
    Describer(recognise=recognise_library, describe=describe_library),
)
