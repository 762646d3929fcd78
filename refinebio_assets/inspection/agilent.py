"""Raw files of scanned two-colour and one-colour arrays: Agilent's Feature Extraction and GenePix results."""

from __future__ import annotations

from typing import Any

import numpy as np

from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.inspection.content import Content
from refinebio_assets.inspection.describers import Describer, Recognition, Setting, begin
from refinebio_assets.inspection.report import Description
from refinebio_assets.microarray.agilent_array import Channel, ScannedArray, Signal
from refinebio_assets.microarray.agilent_channels import decide_colours
from refinebio_assets.microarray.feature_extraction import is_feature_extraction, read_feature_extraction
from refinebio_assets.microarray.genepix import is_genepix, read_genepix

FEATURE_EXTRACTION, GENEPIX = "agilent_feature_extraction", "genepix_results"

LARGEST_FILE_BYTES = 512 * 2**20

_SHOWN_HEADER = {
    "Protocol_Name",
    "Grid_Name",
    "Scan_Date",
    "Scan_ScannerName",
    "FeatureExtractor_ArrayName",
    "FeatureExtractor_Barcode",
    "FeatureExtractor_Version",
    "DateTime",
    "Barcode",
    "Creator",
    "GalFile",
    "Scanner",
    "Wavelengths",
}
_BLOCKS = ("FEPARAMS\t", "FEATURES\t")


def recognise(content: Content) -> Recognition | None:
    """The first word of a block of Feature Extraction, or of an Axon Text File that is no array list."""
    head = content.text.encode()
    if is_feature_extraction(head) and any(word in content.text for word in _BLOCKS):
        return Recognition(kind=FEATURE_EXTRACTION, confidence=1.0, evidence="blocks TYPE, FEPARAMS, FEATURES")
    if is_genepix(head):
        return Recognition(kind=GENEPIX, confidence=1.0, evidence="the first word of Axon Text Files, ATF")
    return None


def describe(content: Content, recognition: Recognition, _: Setting) -> Description:
    """Read by the reader that processing uses: spots, colours and why, controls, brightness, flags."""
    data = content.read(largest=LARGEST_FILE_BYTES)
    array = _read_extraction(data) if recognition.kind == FEATURE_EXTRACTION else read_genepix(data)
    found = decide_colours(array)
    description = begin(recognition)
    description.columns = list(array.columns)
    description.warnings = list(array.warnings)
    if array.sequences is not None and not any(array.sequences.tolist()):
        description.warnings.append("The column Sequence is empty.")
    description.header = {
        "spots": array.spots,
        "announced_spots": array.announced_spots,
        "probes": len(set(array.probes.tolist())),
        "colours": str(found.colours),
        "confidence": found.confidence,
        "evidence": list(found.evidence),
        "controls": {
            "positive": int((array.control_types > 0).sum()),
            "negative": int((array.control_types < 0).sum()),
            "from": array.controls_from,
        },
        "layout": None if array.layout is None else vars(array.layout),
        "has_sequences": array.sequences is not None and any(array.sequences.tolist()),
        "channels": {name: _described(channel) for name, channel in array.channels.items()},
        "scan": {name: value for name, value in array.header.items() if name in _SHOWN_HEADER and value},
    }
    return description


def _read_extraction(data: bytes) -> ScannedArray:
    """With the raw signal; files that were cut to Agilent's own result have that one only."""
    try:
        return read_feature_extraction(data)
    except MalformedFileError:
        raise
    except InputError:
        return read_feature_extraction(data, signal=Signal.PROCESSED)


def _described(channel: Channel) -> dict[str, Any]:
    seen = channel.foreground[~np.isnan(channel.foreground)]
    quantiles = np.percentile(seen, [1, 50, 99]).round(3).tolist() if len(seen) else []
    return {
        "columns": list(channel.columns),
        "percentiles_1_50_99": quantiles,
        "missing": int(np.isnan(channel.foreground).sum()),
        "flagged": int(channel.flagged.sum()),
        "saturated": int(channel.saturated.sum()),
    }


DESCRIBERS = (Describer(recognise=recognise, describe=describe),)
