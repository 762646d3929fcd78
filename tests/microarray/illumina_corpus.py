"""A generated corpus of BeadArray tables: forms of header, preamble, cells and encoding, combined at random.

Every variant knows which columns are right. The values are of real arrays (lumi's example data).
"""

from __future__ import annotations

import gzip
import random
from dataclasses import dataclass
from pathlib import Path

ROWS = 60
EXAMPLE = Path(__file__).parents[1] / "data/illumina/lumi_example_4_non-normalized.txt.gz"
SEQUENCES = Path(__file__).parents[1] / "data/illumina/lumi_example_probe_sequences.tsv.gz"


@dataclass(frozen=True)
class Variant:
    """A file, and how it is to be read: header places of signal, p-value, beads and standard error per sample."""

    content: bytes
    form: str
    id_column: int
    columns: tuple[tuple[int, int | None, int | None, int | None], ...]
    names: tuple[str, ...] | None
    is_reversed: bool
    is_hard: bool = False


def example() -> tuple[list[str], list[list[tuple[float, float]]]]:
    """Identifiers, and per sample the signal and p-value of every probe."""
    lines = gzip.decompress(EXAMPLE.read_bytes()).decode().splitlines()[1 :: 8000 // ROWS][:ROWS]
    rows = [line.split("\t") for line in lines]
    samples = [[(float(row[1 + 2 * at]), float(row[2 + 2 * at])) for row in rows] for at in range(4)]
    return [row[0] for row in rows], samples


IDS, VALUES = example()
NUIDS = [
    line.split("\t")[1] for line in gzip.decompress(SEQUENCES.read_bytes()).decode().splitlines()[1 :: 8000 // ROWS]
][:ROWS]

STYLES: dict[str, tuple[str, str | None, str | None, str | None]] = {
    "GenomeStudio": ("{s}.AVG_Signal", "{s}.Detection Pval", "{s}.Avg_NBEADS", "{s}.BEAD_STDERR"),
    "BeadStudio": ("AVG_Signal-{s}", "Detection-{s}", "Avg_NBEADS-{s}", "BEAD_STDERR-{s}"),
    "BeadStudio with p": ("AVG_Signal-{s}", "Detection Pval-{s}", "Avg_NBEADS-{s}", "BEAD_STDEV-{s}"),
    "GEO": ("{s}", "Detection Pval", None, None),
    "GEO, dots": ("{s}", "Detection.Pval", None, None),
    "GEO, underscores": ("{s}", "DETECTION_PVAL", None, None),
    "R numbers": ("{s}", "Detection.Pval{n}", None, None),
    "p-value": ("{s}", "p-value", None, None),
    "p value by name": ("{s}", "{s} P value", None, None),
    "detection by name": ("{s}", "{s}.Detection Pval", None, None),
    "signal by name": ("{s}_Signal", "{s}_Detection_PVal", "{s}_NBEADS", None),
    "signal with blank": ("{s} Signal", "{s} Detection P-Value", None, None),
    "AVG Signal with blank": ("{s} AVG_Signal", "{s} Detection", "{s} Beads", "{s} STDERR"),
    "raw value by name": ("{s} RAW_VALUE", "{s} pval", None, None),
    "in brackets": ("AVG_Signal ({s})", "Detection Pval ({s})", None, None),
    "colon": ("{s}:AVG_Signal", "{s}:Detection Pval", "{s}:NARRAYS", None),
    "dots": ("{s}.AVG_Signal", "{s}.Detection.Pval", "{s}.Avg_NBEADS", "{s}.BEAD_STDEV"),
    "detection alone": ("{s}", "Detection", None, None),
    "one word": ("{s}", "DetectionPval", None, None),
    "signals only": ("{s}", None, None, None),
    "AVG only": ("{s}.AVG_Signal", None, "{s}.Avg_NBEADS", None),
}
FULL_BEADSTUDIO = (
    "MIN_Signal-{s}",
    "AVG_Signal-{s}",
    "MAX_Signal-{s}",
    "NARRAYS-{s}",
    "ARRAY_STDEV-{s}",
    "BEAD_STDEV-{s}",
    "Avg_NBEADS-{s}",
    "Detection-{s}",
)
SINGLE: dict[str, tuple[str, str | None, str | None, str | None]] = {
    "GSM value": ("VALUE", "Detection Pval", None, None),
    "GSM raw value": ("RAW_VALUE", "Detection_Pval", "NBEADS", "BEAD_STDERR"),
    "AVG_Signal": ("AVG_Signal", "Detection", None, None),
    "Signal": ("Signal", "p-value", "Beads", None),
}
NAMES = (
    ("LV-C&si-Control-1", "LV-C&si-Control-2", "LV-C&si-EZH2-1", "LV-T350A&si-EZH2-3"),
    ("A375 + 24h DMSO", "A375 + 24h vem (3µM)", "A375 + 24h vem (3µM) 1", "A375+ 24h DMSO 1"),
    ("4343238080_A", "4343238080_B", "4343238080_C", "4343238081_A"),
    ("SAMPLE 1", "SAMPLE 2", "SAMPLE 3", "SAMPLE 4"),
    ("CD4+", "CD4-", "CD8+", "CD8-"),
    ("GSM1165512", "GSM1165513", "GSM1165514", "GSM1165515"),
    ("IMGUS_32", "IMGUS_33", "WholeBloodRNA_IN0242_Day0", "WholeBloodRNA_IN0242_Day14"),
    ("CB CD34+ hypoxia", "CB CD34+ normoxia", "wt, 24 h; rep1", "ko, 24 h; rep1"),
    ("HL-60 t0", "MDA-MB-231 p53 null", "Mean 1", "U87 (signal off)"),
    ("1A", "1B", "2A", "2B"),
    ("S.1", "S.2", "S.3", "S.4"),
    ("1", "2", "3", "4"),
)
PREAMBLES = {
    "none": "",
    "GenomeStudio": "[Header]\nGSGX Version\t1.9.0\nReport Date\t10/29/2013 4:36:19 PM\nProject\tP1\n"
    "Normalization\tnone\nSubtract Background\tfalse\n[Sample Probe Profile]\n",
    "GenomeStudio plain": "Illumina Inc. GenomeStudio version 1.8.0\nNormalization = none\n"
    "Array Content = HumanHT-12_V4_0.bgx.xml\nError Model = none\nDateTime = 3/17/2011 4:05 PM\n"
    "Local Settings = en-US\n\n",
    "BeadStudio": "Illumina Inc. BeadStudio version 3.1.3.0\nNormalization = none\nArray Content = 11223162.bgx\n\n",
    "comments": "#Non-normalized data\n# from the core facility\n\n",
    "SOFT": "^SAMPLE = GSM1\n!Sample_title = x\n#ID_REF = \n#VALUE = signal\n!sample_table_begin\n",
    "bangs": '!Series_title\t"x"\n!Series_geo_accession\t"GSE1"\n\n',
    "blank lines": "\n\n\n",
    "title": "Non-normalized data of 4 samples\n",
    "samples above": "GSM674408\tGSM674409\n",
}
ENCODINGS = ("utf-8", "utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-16-be-bom")
ID_NAMES = ("ID_REF", "ID_REF", "PROBE_ID", "ProbeID", "Probe_Id", "ID_REF ", "REF_ID", "probe_id", "ID", "IDREF")
ID_NAMES += ("", "TargetID")
ANNOTATION = (
    ("SYMBOL", lambda at: f"GENE{at}"),
    ("DEFINITION", lambda at: f"Homo sapiens gene {at}, mRNA."),
    ("ENTREZ_GENE_ID", lambda at: str(1000 + 37 * at % 9973)),
    ("CHROMOSOME", lambda at: str(1 + at % 22)),
    ("GI", lambda at: str(4_000_000 + 7919 * at)),
)


def variants(count: int, seed: int = 0) -> list[Variant]:
    """So many different files."""
    source = random.Random(seed)
    return [_variant(source) for _ in range(count)]


def _identifiers(source: random.Random) -> list[str]:
    kind = source.choice(("target", "ilmn", "ilmn", "nuid", "address"))
    if kind == "target":
        return list(IDS)
    if kind == "nuid":
        return list(NUIDS)
    low = 1_650_000 if kind == "ilmn" else 10_008
    numbers = sorted(source.sample(range(low, low + 900_000), ROWS))
    return [f"ILMN_{number}" if kind == "ilmn" else str(number) for number in numbers]


def _variant(source: random.Random) -> Variant:
    samples = 1 if source.random() < 0.1 else source.choice((2, 3, 4))
    names = list(source.choice(NAMES)[:samples])
    kind = "full BeadStudio" if source.random() < 0.08 else source.choice([*SINGLE] if samples == 1 else [*STYLES])
    is_reversed = (
        kind.startswith("BeadStudio") or kind == "full BeadStudio" or "etection" in kind
    ) and source.random() < 0.6
    blocks, groups = _groups(kind, names, is_reversed, source)
    if blocks and kind != "full BeadStudio" and source.random() < 0.25:
        groups = [cell for quantity in range(len(groups[0])) for cell in ([group[quantity]] for group in groups)]
        layout = "blocks"
    else:
        layout = "interleaved"
    columns = [cell for group in groups for cell in group]
    before, after = _around(source)
    ids = _identifiers(source)
    id_name = source.choice(ID_NAMES)
    header = [name for name, _ in before] + [id_name] + [name for name, _, _ in columns] + [name for name, _ in after]
    cells = [
        [text(at) for _, text in before]
        + [ids[at]]
        + [column[1][at] for column in columns]
        + [text(at) for _, text in after]
        for at in range(ROWS)
    ]
    places = {column[2]: at + len(before) + 1 for at, column in enumerate(columns) if column[2]}
    expected = tuple(
        tuple(places.get((role, at)) for role in ("signal", "detection", "beads", "stderr")) for at in range(samples)
    )
    content, form = _written(header, cells, names, source, short_ok=not before)
    return Variant(
        content=content,
        form=f"{kind}, {layout}, ID {id_name!r}, {form}",
        id_column=len(before),
        columns=expected,
        names=tuple(names) if kind not in SINGLE else None,
        is_reversed=is_reversed and _has_p(expected),
    )


def _has_p(expected) -> bool:
    return any(one[1] is not None for one in expected)


def _groups(kind, names, is_reversed, source):
    """Per sample its columns: header, texts, and which quantity of which sample they are."""
    groups = []
    rounding = source.choice((1, 2, 4))
    for at, name in enumerate(names):
        signal = [f"{value:.{rounding}f}" for value, _ in VALUES[at]]
        p = [f"{1 - p if is_reversed else p:.{5}f}" for _, p in VALUES[at]]
        beads = [str(20 + (at + place * 7) % 25) for place in range(ROWS)]
        error = [f"{float(value) / 25:.3f}" for value in signal]
        given = {"signal": signal, "detection": p, "beads": beads, "stderr": error}
        if kind == "full BeadStudio":
            low, high = ([f"{float(value) * by:.1f}" for value in signal] for by in (0.9, 1.1))
            texts = (low, signal, high, ["1"] * ROWS, ["0"] * ROWS, error, beads, p)
            roles = (None, "signal", None, None, None, "stderr", "beads", "detection")
            groups.append(
                [
                    (head.format(s=name), text, role and (role, at))
                    for head, text, role in zip(FULL_BEADSTUDIO, texts, roles, strict=True)
                ]
            )
            continue
        style = SINGLE.get(kind) or STYLES[kind]
        number = "" if not at else f".{at}"
        found = []
        for role, head in zip(("signal", "detection", "beads", "stderr"), style, strict=True):
            if head is not None:
                is_beads = role != "beads" or "NARRAYS" not in head
                found.append((head.format(s=name, n=number), given[role], (role, at) if is_beads else None))
        groups.append(found)
    return kind != "R numbers", groups


def _around(source):
    before = [("TargetID", lambda at: f"SYM{at // 2}")] if source.random() < 0.15 else []
    after = source.sample(ANNOTATION, source.randint(1, 4)) if source.random() < 0.25 else []
    return before, after


def _written(header, cells, names, source, *, short_ok):
    delimiter = source.choice(("\t", "\t", "\t", "\t", ",", ";", " "))
    decimal_comma = delimiter in "\t;" and source.random() < 0.2
    quotes = delimiter == " " or source.random() < 0.2
    if delimiter in ",;" and any(delimiter in cell for row in [header, *cells] for cell in row):
        quotes = True
    if decimal_comma:
        cells = [
            [
                cell.replace(".", ",") if cell.replace(".", "", 1).replace("e-", "", 1).isdigit() else cell
                for cell in row
            ]
            for row in cells
        ]
    short = short_ok and delimiter != " " and source.random() < 0.1
    lines = [header[1:] if short else header, *cells]
    if source.random() < 0.1 and delimiter in "\t,;":
        lines = [[*line, ""] for line in lines]
    preamble = source.choice([*PREAMBLES])
    text = PREAMBLES[preamble] + "".join(_line(line, delimiter, quotes) + "\n" for line in lines)
    if preamble == "SOFT":
        text += "!sample_table_end\n"
    if preamble == "GenomeStudio" and source.random() < 0.5:
        text += (
            "[Control Probe Profile]\nTargetID\tProbeID\tx.AVG_Signal\nNEGATIVE\t50014\t80.1\nNEGATIVE\t50017\t75.9\n"
        )
    newline = source.choice(("\n", "\n", "\r\n", "\r"))
    encoding = source.choice(ENCODINGS)
    text = text.replace("\n", newline)
    content = b"\xfe\xff" + text.encode("utf-16-be") if encoding == "utf-16-be-bom" else text.encode(encoding)
    words = (
        delimiter,
        "decimal comma" if decimal_comma else "point",
        "quoted" if quotes else "plain",
        "short header" if short else "",
        preamble,
        repr(newline),
        encoding,
        "|".join(names),
    )
    return content, ", ".join(map(repr, words))


def _line(cells, delimiter, quotes):
    return delimiter.join(
        f'"{cell}"' if quotes and (not cell[:1].isdigit() or delimiter == " ") else cell for cell in cells
    )
