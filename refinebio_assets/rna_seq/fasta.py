"""FASTA, read one record at a time: a genome needs the memory of its longest chromosome."""

from __future__ import annotations

import string
from collections.abc import Iterator
from pathlib import Path

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.rna_seq.compressed import is_markup, open_compressed

_BLOCK_BYTES = 1 << 22
_WHITE = b" \t\r\n"
_LETTERS = string.ascii_letters.encode() + b"*-"


def _bases() -> bytes:
    """A translation to upper-case ACGTN: U is T, every other letter (IUPAC codes, gaps) N, as in RSEM."""
    table = bytearray(b"N" * 256)
    for letter in b"ACGT":
        table[letter] = table[letter + 32] = letter
    table[ord("U")] = table[ord("u")] = ord("T")
    return bytes(table)


BASES = _bases()
_COMPLEMENT = bytes.maketrans(b"ACGT", b"TGCA")


def reverse_complement(sequence: bytes) -> bytes:
    """The other strand of a sequence of ACGTN."""
    return sequence.translate(_COMPLEMENT)[::-1]


def fasta_records(path: Path) -> Iterator[tuple[str, bytearray]]:
    """Header lines (without ``>``) and sequences of a FASTA file, plain or gzip.

    Sequences are as in the file but for white space; :data:`BASES` translates them to ACGTN.

    Raises:
        MalformedFileError: The file is missing, does not start with ``>``, holds something other than letters, or its
            gzip is truncated or damaged.
    """
    header: bytes | None = None
    sequence = bytearray()
    for block in _line_blocks(path):
        for record in _split_records(block):
            if record.startswith(b">"):
                if header is not None:
                    yield _checked(path, header, sequence)
                first, _, rest = record.partition(b"\n")
                header, sequence = first, bytearray(rest.translate(None, _WHITE))
            elif header is None:
                raise _no_fasta(path, record)
            else:
                sequence += record.translate(None, _WHITE)
    if header is None:
        message = "This FASTA file is empty."
        raise MalformedFileError(message, path=path)
    yield _checked(path, header, sequence)


def _line_blocks(path: Path) -> Iterator[bytes]:
    """Large pieces of the file that end at line ends."""
    rest = b""
    with open_compressed(path) as file:
        while block := file.read(_BLOCK_BYTES):
            whole, newline, rest = (rest + block).rpartition(b"\n")
            if newline:
                yield whole + newline
    if rest.strip():
        yield rest


def _split_records(block: bytes) -> Iterator[bytes]:
    """Cut a block before every header line."""
    start = 0
    while (found := block.find(b"\n>", start)) >= 0:
        yield block[start : found + 1]
        start = found + 1
    yield block[start:]


def _checked(path: Path, header: bytes, sequence: bytearray) -> tuple[str, bytearray]:
    name = header[1:].decode("utf-8", errors="replace").strip()
    if not name:
        message = "A FASTA record has no name."
        raise MalformedFileError(message, path=path)
    strange = sequence.translate(None, _LETTERS)
    if strange:
        message = f"The sequence {name.split()[0]!r} holds {chr(strange[0])!r}, which is no base."
        raise MalformedFileError(message, path=path)
    return name, sequence


def _no_fasta(path: Path, start: bytes) -> MalformedFileError:
    what = "a web page or XML message" if is_markup(start) else "no FASTA file"
    return MalformedFileError(f"This is {what}: its first line should start with '>'.", path=path, line=1)
