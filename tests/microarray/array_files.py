"""Array files made from values: every format the readers know, byte by byte as its specification has it."""

import struct
from collections.abc import Iterable, Sequence

import numpy as np


def cel_text(intensities, *, cols, chip_type="Test3", stdev=None, pixels=None, masked=(), outliers=()) -> bytes:
    """CEL version 3."""
    count = len(intensities)
    stdev = np.zeros(count) if stdev is None else stdev
    pixels = np.full(count, 9) if pixels is None else pixels
    lines = [
        "[CEL]", "Version=3", "", "[HEADER]", f"Cols={cols}", f"Rows={count // cols}",
        f"DatHeader=[0..1]  a:CLS=1 RWS=1 XIN=3  YIN=3  VE=17        2.0 01/02/03 04:05:06       {chip_type}.1sq   6",
        "Algorithm=Percentile", "", "[INTENSITY]", f"NumberCells={count}", "CellHeader=X\tY\tMEAN\tSTDV\tNPIXELS",
    ]  # fmt: skip
    lines += [f"{i % cols:3d}\t{i // cols:3d}\t{intensities[i]}\t{stdev[i]}\t{pixels[i]:3d}" for i in range(count)]
    for name, cells in (("MASKS", masked), ("OUTLIERS", outliers)):
        lines += ["", f"[{name}]", f"NumberCells={len(cells)}", "CellHeader=X\tY", *(f"{x}\t{y}" for x, y in cells)]
    lines += ["", "[MODIFIED]", "NumberCells=0", "CellHeader=X\tY\tORIGMEAN", ""]
    return "\r\n".join(lines).encode()


def cel_binary(intensities, *, cols, chip_type="Test3", stdev=None, pixels=None, masked=(), outliers=()) -> bytes:
    """CEL version 4."""
    count = len(intensities)
    cells = np.zeros(count, dtype=[("mean", "<f4"), ("stdv", "<f4"), ("pixels", "<i2")])
    cells["mean"] = intensities
    cells["stdv"] = 0 if stdev is None else stdev
    cells["pixels"] = 9 if pixels is None else pixels
    rows = count // cols
    text = f"Cols={cols}\nRows={rows}\nDatHeader=[0..1] a 01/02/03 04:05:06 \x14 {chip_type}.1sq \x14 6\n".encode()
    return b"".join(
        [
            struct.pack("<5i", 64, 4, cols, rows, count),
            *(struct.pack("<i", len(each)) + each for each in (text, b"Percentile", b"")),
            struct.pack("<i2Ii", 2, len(outliers), len(masked), 0),
            cells.tobytes(),
            np.array([*masked, *outliers], dtype="<i2").tobytes(),
        ]
    )


def wide(text: str) -> bytes:
    """A text of a generic file: length in characters, UTF-16."""
    return struct.pack(">i", len(text)) + text.encode("utf-16-be")


def _ascii(text: str) -> bytes:
    return struct.pack(">i", len(text)) + text.encode()


def parameter(name: str, value: str | float | bytes, kind: str | None = None) -> bytes:
    """A name, value, type triplet."""
    if isinstance(value, str):
        raw, found = value.encode("utf-16-be"), "text/plain"
    elif isinstance(value, int):
        raw, found = struct.pack(">i", value), "text/x-calvin-integer-32"
    elif isinstance(value, float):
        raw, found = struct.pack(">f", value), "text/x-calvin-float"
    else:
        raw, found = value, "text/ascii"
    return wide(name) + struct.pack(">i", len(raw)) + raw + wide(kind or found)


def generic_header(data_type: str, parameters: Sequence[bytes], parents: Sequence[bytes] = ()) -> bytes:
    """The header of a generic file or of one of its parents."""
    return b"".join(
        [
            _ascii(data_type), _ascii("0000-1"), wide("2010-02-04T11:19:15Z"), wide("en-US"),
            struct.pack(">i", len(parameters)), *parameters, struct.pack(">i", len(parents)), *parents,
        ]
    )  # fmt: skip


def generic_file(header: bytes, groups: Iterable[tuple[str, Sequence[tuple[str, np.ndarray]]]]) -> bytes:
    """A generic file; each data set is a name and an array with one named field per column, big-endian."""
    codes = {">i2": 2, ">i4": 4, ">f4": 6, "|i1": 0, "|u1": 1, ">u2": 3, ">u4": 5}
    groups = list(groups)
    data = bytearray(struct.pack(">2BiI", 59, 1, len(groups), 0) + header)
    previous_group = 6  # where the place of the next group is written
    for name, sets in groups:
        struct.pack_into(">I", data, previous_group, len(data))
        previous_group = len(data)
        data += struct.pack(">2Ii", 0, 0, len(sets)) + wide(name)
        previous_set = previous_group + 4
        for set_name, table in sets:
            struct.pack_into(">I", data, previous_set, len(data))
            start = len(data)
            data += struct.pack(">2I", 0, 0) + wide(set_name) + struct.pack(">iI", 0, len(table.dtype.names))
            for column in table.dtype.names:
                kind = table.dtype[column]
                data += wide(column) + struct.pack(">Bi", codes[kind.str], kind.itemsize)
            data += struct.pack(">I", len(table))
            struct.pack_into(">I", data, start, len(data))
            data += table.tobytes()
            previous_set = start + 4
        struct.pack_into(">I", data, previous_set, len(data))
    return bytes(data)


def column(name: str, dtype: str, values) -> np.ndarray:
    """A data set with one column."""
    return np.array([(value,) for value in values], dtype=[(name, dtype)])


def cel_calvin(
    intensities, *, cols, chip_type="Test3", stdev=None, pixels=None, masked=(), outliers=(), channels=1
) -> bytes:
    """A CEL file of the Command Console; further channels have the intensities plus their number."""
    count = len(intensities)
    parameters = [
        parameter("affymetrix-array-type", chip_type),
        parameter("affymetrix-algorithm-name", "Percentile"),
        parameter("affymetrix-cel-rows", count // cols),
        parameter("affymetrix-cel-cols", cols),
        parameter("affymetrix-algorithm-param-OutlierHigh", 1.5),
        parameter("affymetrix-file-version", struct.pack(">i", 1), "text/x-calvin-unsigned-integer-8"),
    ]
    scan = generic_header(
        "affymetrix-calvin-scan-acquisition",
        [parameter("affymetrix-scan-date", "2010-02-04T11:19:15Z"), parameter("affymetrix-array-id", b"7e11")],
    )
    places = [("X", ">i2"), ("Y", ">i2")]
    groups = []
    for channel in range(channels):
        sets = [
            ("Intensity", column("Intensity", ">f4", np.asarray(intensities) + channel)),
            ("StdDev", column("StdDev", ">f4", np.zeros(count) if stdev is None else stdev)),
            ("Pixel", column("Pixel", ">i2", np.full(count, 9) if pixels is None else pixels)),
            ("Outlier", np.array(list(outliers), dtype=places)),
            ("Mask", np.array(list(masked), dtype=places)),
        ]
        groups.append(("Default Group" if channels == 1 else f"dye {channel}", sets))
    kind = "affymetrix-calvin-intensity" if channels == 1 else "affymetrix-calvin-multi-intensity"
    return generic_file(generic_header(kind, parameters, [scan]), groups)


UNITS = [
    ("1000_at", [("1000_at", [(0, 0, "T", "A", 0, 33), (0, 1, "A", "A", 0, 33), (1, 0, "G", "C", 1, 47)])]),
    ("1001_at", [("1001_at", [(2, 2, "c", "g", 0, 12), (2, 3, "g", "g", 0, 12)])]),
]
"""Probe sets, their groups, and cells: x, y, base of the probe, base of the target, atom, position in the target."""


CDF_COLUMNS = "X Y PROBE FEAT QUAL EXPOS POS CBASE PBASE TBASE ATOM INDEX CODONIND CODON REGIONTYPE REGION"


def cdf_text(units=UNITS, *, rows=4, cols=4, version="GC3.0", name="Test3") -> bytes:
    """A text CDF file."""
    lines = [
        "[CDF]", f"Version={version}", "", "[Chip]", f"Name={name}",
        *(["ChipType=Test3.r1", "ChipType=Test3"] if version == "GC6.0" else []),
        f"Rows={rows}", f"Cols={cols}", f"NumberOfUnits={len(units)}", "MaxUnit=9", "NumQCUnits=1", "ChipReference=",
        "", "[QC1]", "Type=9", "NumberCells=1", "CellHeader=X\tY\tPROBE\tPLEN\tATOM\tINDEX\tMATCH\tBG",
        "Cell1=3\t3\tN\t20\t0\t15\t0\t0", "",
    ]  # fmt: skip
    columns = CDF_COLUMNS.split()
    for number, (_, groups) in enumerate(units, start=1):
        cells = sum(len(each) for _, each in groups)
        lines += [f"[Unit{number}]", "Name=NONE", "Direction=2", "NumAtoms=1", f"NumCells={cells}"]
        lines += [f"UnitNumber={number}", "UnitType=3", f"NumberBlocks={len(groups)}", ""]
        for block, (group, cells_of_group) in enumerate(groups, start=1):
            lines += [f"[Unit{number}_Block{block}]", f"Name={group}", f"BlockNumber={block}", "NumAtoms=1"]
            lines += [f"NumCells={len(cells_of_group)}", "StartPosition=0", "StopPosition=1"]
            lines.append("CellHeader=" + "\t".join(columns))
            for cell, (x, y, probe, target, atom, expos) in enumerate(cells_of_group, start=1):
                values = [x, y, "N", "control", f"a={group}", expos, 13, target, probe, target, atom, y * cols + x, -1]
                lines.append(f"Cell{cell}=" + "\t".join(map(str, [*values, -1, 99, ""])))
            lines.append("")
    return "\r\n".join([*lines, ""]).encode()


def cdf_binary(units=UNITS, *, rows=4, cols=4, version=1) -> bytes:
    """A binary CDF file with one unit of quality control."""
    head = struct.pack("<2i", 67, version)
    if version == 4:
        head += struct.pack("<i", 4) + b"guid" + b"0" * 32 + struct.pack("<B", 2)
        head += b"".join(struct.pack("<i", len(each)) + each for each in (b"Test3.r1", b"Test3"))
    head += struct.pack("<2H3i", cols, rows, len(units), 1, 0)
    head += b"".join(name.encode().ljust(64, b"\0") for name, _ in units)
    control = struct.pack("<Hi", 9, 1) + struct.pack("<2H3B", 3, 3, 20, 0, 0)
    place = len(head) + 4 + 4 * len(units)
    places, body = [place], control
    for number, (_, groups) in enumerate(units):
        places.append(place + len(body))
        cells = sum(len(each) for _, each in groups)
        body += struct.pack("<HB4iB", 1, 2, 1, len(groups), cells, number, 2)
        for group, cells_of_group in groups:
            body += struct.pack("<2i2B2i64s", 1, len(cells_of_group), 2, 2, 0, 1, group.encode())
            body += b"\0" * {1: 0, 2: 4, 3: 6, 4: 6}[version]
            for x, y, probe, target, atom, expos in cells_of_group:
                body += struct.pack("<i2Hi2c", atom, x, y, expos, probe.encode(), target.encode())
                body += b"\0" * (4 if version > 1 else 0)
    return head + struct.pack(f"<{len(places)}I", *places) + body


PROBE_TAB = (
    b"Probe Set Name\tProbe X\tProbe Y\tProbe Interrogation Position\tProbe Sequence\tTarget Strandedness\n"
    b"1000_at\t399\t559\t1367\tTCTCCTTTGCTGAGGCCTCCAGCTT\tAntisense\n"
    b"1000_at\t544\t185\t1379\tAGGCCTCCAGCTTCAGGCAGGCCAA\tAntisense\n"
    b"1001_at\t530\t505\t1385\tCCAGCTTCAGGCAGGCCAAGGCCTT\tAntisense\n"
)

PGF = (
    b"#%pgf_format_version=1.0\n#%chip_type=HuGene-1_0-st-v1\n#%chip_type=HuGene-1_0-st-v2\n"
    b"#%header0=probeset_id\ttype\n#%header1=\tatom_id\n"
    b"#%header2=\t\tprobe_id\ttype\tgc_count\tprobe_length\tinterrogation_position\tprobe_sequence\n"
    b"7892501\tmain\n\t1\n\t\t2\tpm:st\t7\t25\t13\tAAGCTTAGTAGACTATAAATATGAC\n"
    b"\t2\n\t\t5\tmm:st\t7\t25\t13\tGCTTAGTAGACTATAAATATGACTT\n"
    b"7892502\tcontrol->affx\n\t3\n\t\t3\tpm:at\t7\t25\t13\tGTAGACTATAAATATGACTTACTCA\n"
)

CLF = (
    b"#%clf_format_version=1.0\n#%rows=2\n#%cols=3\n#%sequential=1\n#%order=col_major\n#%header0=probe_id\tx\ty\n"
    b"1\t0\t0\n2\t1\t0\n3\t2\t0\n4\t0\t1\n5\t1\t1\n6\t2\t1\n"
)

MPS = (
    b"#%chip_type=HuGene-1_0-st-v1\nprobeset_id\ttranscript_cluster_id\tprobeset_list\tprobe_count\n"
    b"8000001\t8000001\t7892501 7892502\t3\n"
)
