"""One small file of each format with its reader: what damage is done to."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from refinebio_assets.microarray.cdf import read_cdf
from refinebio_assets.microarray.cel import read_cel, read_cel_header
from refinebio_assets.microarray.chip_annotation import ChipAnnotation, load_chip_annotation
from refinebio_assets.microarray.pgf import located, read_clf, read_mps, read_pgf
from refinebio_assets.microarray.probe_tables import read_probe_table
from tests.microarray import array_files

DATA = Path(__file__).parents[1] / "data" / "affy"


class Seed(NamedTuple):
    name: str
    data: bytes
    read: Callable[[bytes], Any]


def read_any_cel(data: bytes) -> Any:
    read_cel_header(data)
    return read_cel(data, with_spot_statistics=True)


def read_located_pgf(data: bytes) -> Any:
    pgf = read_pgf(data)
    return pgf.is_main, located(pgf, read_clf(array_files.CLF))


def annotation() -> ChipAnnotation:
    table = read_probe_table(array_files.PROBE_TAB)
    return ChipAnnotation(
        chip="hgu95av2",
        organism="HOMO_SAPIENS",
        source="affymetrix",
        version="1",
        probe_table=table,
        probe_summary=table.take(np.array([0, 2])),
    )


def seeds() -> list[Seed]:
    """Made files of every format, real ones where they are small, and some of them compressed."""
    intensities = np.round(np.linspace(20, 40000, 20), 1)
    cells = {"cols": 4, "masked": [(1, 1)], "outliers": [(3, 4), (0, 2)]}
    made = [
        Seed("cel_text", array_files.cel_text(intensities, **cells), read_any_cel),
        Seed("cel_binary", array_files.cel_binary(intensities, **cells), read_any_cel),
        Seed("cel_calvin", array_files.cel_calvin(intensities, **cells), read_any_cel),
        Seed("cel_channels", array_files.cel_calvin(intensities, channels=2, **cells), read_any_cel),
        Seed("cel_biopython", (DATA / "affy_v3_example.CEL").read_bytes(), read_any_cel),
        Seed("cdf_text", array_files.cdf_text(), read_cdf),
        Seed("cdf_text_6", array_files.cdf_text(version="GC6.0"), read_cdf),
        *(Seed(f"cdf_binary_{each}", array_files.cdf_binary(version=each), read_cdf) for each in (1, 2, 3, 4)),
        Seed("probe_table", array_files.PROBE_TAB, read_probe_table),
        Seed("pgf", array_files.PGF, read_located_pgf),
        Seed("clf", array_files.CLF, read_clf),
        Seed("mps", array_files.MPS, read_mps),
        Seed("annotation", annotation().content, load_chip_annotation),
    ]
    packed = [
        Seed("cel_binary.gz", gzip.compress(made[1].data), read_any_cel),
        Seed("cdf_text.bz2", bz2.compress(made[5].data), read_cdf),
        Seed("probe_table.xz", lzma.compress(array_files.PROBE_TAB), read_probe_table),
    ]
    return made + packed
