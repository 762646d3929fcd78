"""Salmon's quant.sf files: finding them, reading them, and saying precisely what is wrong with one.

Format: https://salmon.readthedocs.io/en/latest/file_formats.html#quantification-file (Salmon 0.7 and later).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refinebio_assets.domain.errors import InputError, MalformedFileError
from refinebio_assets.rna_seq._quant_sf import QuantSfError, parse
from refinebio_assets.rna_seq.whole_file import BROKEN_FILE_REMEDY, read_bytes

COLUMNS = ("Name", "Length", "EffectiveLength", "TPM", "NumReads")
HEADER = "\t".join(COLUMNS)
QUANT_FILE_NAMES = ("quant.sf", "quant.sf.gz", "quant.sf.bz2", "quant.sf.xz")
LONGEST_TEXT_SHOWN = 60


@dataclass(frozen=True)
class QuantSource:
    """A quant.sf file and the sample it belongs to."""

    sample: str
    path: Path


@dataclass(frozen=True)
class QuantSf:
    """One quant.sf: transcripts in the order of the file, numbers as float64 arrays of that length.

    Attributes:
        names: Transcript ids, each once.
        length: Length in bases.
        effective_length: Length corrected for fragment lengths and biases, in bases.
        tpm: Transcripts per million.
        num_reads: Estimated reads; fractions, since ambiguous reads are shared out.
        prefixes: ``Name<TAB>Length<TAB>`` of all rows, back to back: what further files are compared with.
        prefix_ends: Where each row ends in ``prefixes``, int64.
    """

    names: list[str]
    length: NDArray[np.float64]
    effective_length: NDArray[np.float64]
    tpm: NDArray[np.float64]
    num_reads: NDArray[np.float64]
    prefixes: bytes
    prefix_ends: NDArray[np.int64]


def read_quant_sf(path: Path) -> QuantSf:
    """Read and check one quant.sf, plain or compressed with gzip, bzip2 or xz.

    Raises:
        InputError: There is no such file, or it cannot be read.
        MalformedFileError: It is no complete quant.sf, or has a number that is negative or not finite, or a transcript
            twice; names the line.
    """
    return parse_quant_sf(read_bytes(path), path)


def parse_quant_sf(data: bytes, path: Path) -> QuantSf:
    """Read and check the content of one quant.sf.

    Args:
        data: The decompressed bytes.
        path: Where they come from, for messages.

    Raises:
        MalformedFileError: See :func:`read_quant_sf`.
    """
    rows = max(data.count(b"\n") - 1, 0)
    columns = np.empty((len(COLUMNS) - 1, rows))
    prefix_ends = np.empty(rows, dtype=np.int64)
    try:
        names, prefixes = parse(data, columns, prefix_ends)
    except QuantSfError as error:
        raise _explain(error, data, path) from None
    if len(set(names)) != len(names):
        raise _duplicate(names, path)
    length, effective_length, tpm, num_reads = columns
    return QuantSf(names, length, effective_length, tpm, num_reads, prefixes, prefix_ends)


def _duplicate(names: Sequence[str], path: Path) -> MalformedFileError:
    first_row: dict[str, int] = {}
    for row, name in enumerate(names):
        if first_row.setdefault(name, row) != row:
            break
    message = f"Transcript {name} is listed twice, first in line {first_row[name] + 2}."
    remedy = "Quantify with an index whose transcripts have different names."
    return MalformedFileError(message, path=path, line=row + 2, remedy=remedy)


def _explain(error: QuantSfError, data: bytes, path: Path) -> MalformedFileError:
    """The parser's verdict in words."""
    kind, line, column = error.args
    text = _shown(data.split(b"\n", line)[line - 1]) if kind not in {"empty", "no_rows"} else ""
    fields = text.rstrip("\r").split("\t")
    value = fields[column] if 0 <= column < len(fields) else ""
    where = COLUMNS[column]
    if kind == "header":
        return _wrong_header(text.rstrip("\r"), path)
    message, remedy = {
        "empty": ("The file is empty.", "Quantify the sample again."),
        "no_rows": ("There is a header but no transcript.", "Quantify the sample again."),
        "fields": (f"Expected {len(COLUMNS)} tab-separated fields, found {len(fields)}.", BROKEN_FILE_REMEDY),
        "truncated": ("The file is truncated: its last line is not complete.", BROKEN_FILE_REMEDY),
        "not_text": ("The transcript's name is not text (UTF-8).", BROKEN_FILE_REMEDY),
        "not_a_number": (f"{where} is not a number: {_shortened(value)!r}.", BROKEN_FILE_REMEDY),
        "not_finite": (f"{where} is {_shortened(value)!r}, not a finite number.", "Quantify the sample again."),
        "negative": (f"{where} is negative: {_shortened(value)}.", "Quantify the sample again."),
    }[kind]
    return MalformedFileError(message, path=path, line=line, remedy=remedy)


def _wrong_header(found: str, path: Path) -> MalformedFileError:
    if found == HEADER:
        return MalformedFileError("The file ends after its header.", path=path, line=1, remedy=BROKEN_FILE_REMEDY)
    if found.lstrip("\ufeff \t").startswith("<"):
        message = f"This is an HTML or XML page, not a quant.sf: {_shortened(found)!r}."
        return MalformedFileError(
            message, path=path, line=1, remedy="A server sent a page instead of the file; get it again."
        )
    message = f"The header is not that of a quant.sf: {_shortened(found)!r}."
    remedy = f"Expected the tab-separated columns {', '.join(COLUMNS)} (Salmon 0.7 or later)."
    return MalformedFileError(message, path=path, line=1, remedy=remedy)


def _shown(line: bytes) -> str:
    return line.decode("utf-8", errors="replace")


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT_SHOWN else text[:LONGEST_TEXT_SHOWN] + "…"


def find_quant_files(paths: Iterable[Path]) -> list[QuantSource]:
    """The quant.sf files that paths stand for, with the names of their samples.

    A folder stands for the quant files in its sub-folders, sorted by name (``quant.sf``, ``.gz``, ``.bz2`` or ``.xz``),
    or for the one directly in it. A sample is called after the folder of its file; where several of the given files
    share a folder, after the files themselves (``SRR1_quant.sf.gz`` -> ``SRR1``).

    Raises:
        InputError: A path does not exist, a folder has none or two of one sample, or two samples share a name.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            message = "There is no such file or folder."
            raise InputError(message, path=path, remedy="Check the path.")
        files += _quant_files_in(path) if path.is_dir() else [path]
    folders = [_folder(path) for path in files]
    shared = {folder for folder, count in Counter(folders).items() if count > 1}
    sources = [
        QuantSource(_sample_of_file(path) if folder in shared else folder.name, path)
        for path, folder in zip(files, folders, strict=True)
    ]
    _check_names(sources)
    return sources


def _quant_files_in(folder: Path) -> list[Path]:
    own = _quant_file_of(folder)
    if own is not None:
        return [own]
    below = (_quant_file_of(child) for child in sorted(folder.iterdir()) if child.is_dir())
    files = [path for path in below if path is not None]
    if not files:
        message = f"There is no quant file in the folder or in its sub-folders ({', '.join(QUANT_FILE_NAMES)})."
        raise InputError(message, path=folder, remedy="Give the folder that holds one folder per sample.")
    return files


def _quant_file_of(folder: Path) -> Path | None:
    found = [folder / name for name in QUANT_FILE_NAMES if (folder / name).is_file()]
    if len(found) > 1:
        message = f"The folder has {' and '.join(path.name for path in found)}: which one is the sample's?"
        raise InputError(message, path=folder, remedy="Remove one of them, or name the files instead of the folder.")
    return found[0] if found else None


def _folder(path: Path) -> Path:
    """The folder by the name the caller knows it by: symbolic links are kept, ``..`` is not."""
    folder = path.absolute().parent
    return folder.resolve() if ".." in folder.parts else folder


def _sample_of_file(path: Path) -> str:
    name = path.name
    for suffix in (".gz", ".bz2", ".xz", ".sf", ".quant", "_quant"):
        name = name.removesuffix(suffix)
    return name if name not in {"", "quant"} else _folder(path).name  # "quant" says nothing about the sample


def _check_names(sources: Sequence[QuantSource]) -> None:
    path_of: dict[str, Path] = {}
    for source in sources:
        if source.sample in path_of:
            message = f"Two files belong to a sample called {source.sample}; the other is {path_of[source.sample]}."
            raise InputError(message, path=source.path, remedy="Put each file into a folder named after its sample.")
        path_of[source.sample] = source.path
        if any(character in source.sample for character in "\t\r\n"):
            message = "A sample's name has a tab or a line break."
            raise InputError(message, path=source.path, remedy="Rename its folder.")
