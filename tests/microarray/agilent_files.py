"""The files of tests/data/agilent, and files of scanners made in memory."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DATA = Path(__file__).parents[1] / "data/agilent"
ARRAYS = ("251316214319_cut", "251316214320_cut")
EXTRACTIONS = tuple(DATA / f"{name}.txt.gz" for name in ARRAYS)
GENEPIX = tuple(DATA / f"{name}.gpr.gz" for name in ARRAYS)
SPOTS = 1080


@cache
def oracle(name: str) -> dict[str, NDArray[np.float64]]:
    """A table of tests/data/agilent by column: what limma, R or SCAN.UPC computed."""
    with gzip.open(DATA / f"{name}.tsv.gz", "rt") as file:
        names = file.readline().rstrip("\n").split("\t")
        columns = np.loadtxt(file, delimiter="\t", ndmin=2).T
    return dict(zip(names, columns, strict=True))


def both(name: str, column: str) -> NDArray[np.float64]:
    """A column of both arrays: arrays x spots."""
    table = oracle(name)
    return np.stack([table[f"{column}.1"], table[f"{column}.2"]])


def extraction_text(
    rows: list[dict[str, object]],
    *,
    header: dict[str, str] | None = None,
    statistics: dict[str, str] | None = None,
    line_end: str = "\n",
) -> bytes:
    """Feature Extraction text with these features; the columns are those of the first one."""
    blocks = []
    for name, values in (
        ("FEPARAMS", header or {"Protocol_Name": "made"}),
        ("STATS", statistics or {"gNumSatFeat": "0"}),
    ):
        blocks += ["\t".join(["TYPE", *["text"] * len(values)]), "\t".join([name, *values])]
        blocks += ["\t".join(["DATA", *values.values()]), "*"]
    columns = list(rows[0])
    blocks += ["\t".join(["TYPE", *["text"] * len(columns)]), "\t".join(["FEATURES", *columns])]
    blocks += ["\t".join(["DATA", *(str(row[column]) for column in columns)]) for row in rows]
    return (line_end.join(blocks) + line_end).encode()


def spots(count: int = 200, *, two_colours: bool = True, seed: int = 1) -> list[dict[str, object]]:
    """Made features: noise, signal, and every tenth a negative control."""
    random = np.random.default_rng(seed)
    signal = random.exponential(500, count)
    rows: list[dict[str, object]] = []
    for place in range(count):
        control = place % 10 == 9
        row: dict[str, object] = {
            "FeatureNum": place + 1,
            "Row": place // 10 + 1,
            "Col": place % 10 + 1,
            "ControlType": -1 if control else 0,
            "ProbeName": "(-)3xSLv1" if control else f"A_{place}",
            "SystematicName": f"NM_{place}",
        }
        for letter in "gr" if two_colours else "g":
            net = 0.0 if control else signal[place] * random.lognormal(0, 0.2)
            row[f"{letter}MedianSignal"] = round(net + random.normal(60, 3), 1)
            row[f"{letter}BGMedianSignal"] = round(random.normal(50, 2), 1)
        rows.append(row)
    return rows
