"""NCBI's SRA toolkit: reads out of a local ``.sra`` file, and its own statistics of them."""

from __future__ import annotations

import re
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from refinebio_assets.domain.errors import MalformedFileError, ToolFailedError
from resources.tools.process import ToolResult, run_tool

SRA_MAGIC = b"NCBI.sra"
"""First bytes of every archive of the SRA (the *kar* container)."""

_VERSION_SECONDS = 30.0
_VERSION = re.compile(r":\s*(\d+(?:\.\d+)+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class SraStatistics:
    """What ``sra-stat`` says of a run: spots (fragments), reads per spot and bases."""

    spots: int
    reads_per_spot: int
    bases: int
    mean_read_length: float
    """Bases per read over all reads of all spots; ``nan`` when the archive has no spots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SraToolkit:
    """The programs of the SRA toolkit.

    Args:
        fasterq_dump_program: Name or path of ``fasterq-dump``.
        sra_stat_program: Name or path of ``sra-stat``.
        threads: Threads of ``fasterq-dump``; the output does not depend on them.
        timeout_seconds: Time-out of one run of either.
    """

    fasterq_dump_program: str = "fasterq-dump"
    sra_stat_program: str = "sra-stat"
    threads: int = 1
    timeout_seconds: float = 3 * 3600.0

    def version(self) -> str:
        """The version, such as ``3.0.3``.

        Raises:
            ToolMissingError: The toolkit is not installed.
            ToolFailedError: It does not say.
        """
        result = run_tool([self.fasterq_dump_program, "--version"], timeout_seconds=_VERSION_SECONDS)
        found = _VERSION.search(result.stdout)
        if found is None:
            message = f"{self.fasterq_dump_program} --version said {result.stdout[:80]!r}, which is no version."
            raise ToolFailedError(message)
        return found[1]

    def fasterq_dump(self, path: Path, out_dir: Path) -> tuple[Path, ...]:
        """Write the reads of an ``.sra`` file as FASTQ.

        Split as ``fasterq-dump`` does by default (``--split-3``, technical reads skipped): ``X_1.fastq`` and
        ``X_2.fastq`` hold the mates, ``X.fastq`` reads without a mate, so mates never get out of step.

        Returns:
            One file (single-end), two (paired) or three (paired plus unmated reads), in the order _1, _2, without
            suffix.

        Raises:
            MalformedFileError: The file is not an SRA archive.
            ToolFailedError: ``fasterq-dump`` failed or wrote no reads.
        """
        check_sra_file(path)
        out_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out_dir, prefix=".fasterq-dump-") as folder:
            written, scratch = Path(folder) / "fastq", Path(folder) / "scratch"
            command: list[str | Path] = [self.fasterq_dump_program, path.absolute(), "--split-3", "--skip-technical"]
            command += ["-O", written, "-t", scratch, "-e", str(self.threads)]
            scratch.mkdir()
            result = run_tool(command, cwd=scratch, timeout_seconds=self.timeout_seconds)
            files = sorted(written.glob("*.fastq"), key=_mate_order)
            _check_written(path, files, result)
            return tuple(file.replace(out_dir / file.name) for file in files)

    def statistics(self, path: Path) -> SraStatistics:
        """Spots, reads per spot and bases of an ``.sra`` file.

        Raises:
            MalformedFileError: The file is not an SRA archive.
            ToolFailedError: ``sra-stat`` failed or gave no statistics.
        """
        check_sra_file(path)
        command: list[str | Path] = [self.sra_stat_program, "--xml", "--statistics", path.absolute()]
        result = run_tool(command, timeout_seconds=self.timeout_seconds)
        try:
            return parse_sra_stat(result.stdout)
        except (ET.ParseError, KeyError, ValueError) as error:
            message = f"sra-stat gave no statistics of {path.name}."
            raise ToolFailedError(message, output=result.stderr) from error


def check_sra_file(path: Path) -> None:
    """Make sure that a file is an SRA archive before a tool looks at it.

    Raises:
        MalformedFileError: Its first bytes say otherwise, or there is no such file.
    """
    if not path.is_file():
        message = "There is no such file."
        raise MalformedFileError(message, path=path)
    with path.open("rb") as file:
        start = file.read(len(SRA_MAGIC))
    if start != SRA_MAGIC:
        what = "a web page or XML message" if start.lstrip()[:1] == b"<" else "something else"
        message = f"This is no SRA archive but {what}: it starts with {start!r}."
        raise MalformedFileError(message, path=path, remedy="Download the run again.")


def parse_sra_stat(xml: str) -> SraStatistics:
    """Read the XML of ``sra-stat --xml --statistics``.

    The mean read length follows refine.bio: bases / (spots x reads per spot), where bases of mates and their spots are
    the second choice, and the first read's average the third.

    Raises:
        xml.etree.ElementTree.ParseError: It is not XML.
        KeyError: Counts are missing.
        ValueError: Counts are no numbers.
    """
    run = ET.fromstring(xml)  # noqa: S314 - written by our own sra-stat, not by a stranger
    statistics = run.find("Statistics")
    attributes = {} if statistics is None else statistics.attrib
    spots, bases = int(run.attrib["spot_count"]), int(run.attrib["base_count"])
    reads_text = attributes.get("nreads", "")
    reads = int(reads_text) if reads_text.isdigit() else len(run.findall("Statistics/Read"))
    return SraStatistics(
        spots=spots, reads_per_spot=reads, bases=bases, mean_read_length=_mean_read_length(run, spots, reads, bases)
    )


def _mean_read_length(run: ET.Element, spots: int, reads: int, bases: int) -> float:
    if spots * reads > 0:
        return bases / (spots * reads)
    mates = int(run.attrib.get("spot_count_mates", "0"))
    if mates * reads > 0:
        return int(run.attrib.get("base_count_bio_mates", "0")) / (mates * reads)
    first = run.find("Statistics/Read")
    return float("nan") if first is None else float(first.attrib["average"])


def _mate_order(path: Path) -> tuple[int, str]:
    suffixes = {"_1": 0, "_2": 1}
    return suffixes.get(path.stem[-2:], 2), path.name


def _check_written(path: Path, files: list[Path], result: ToolResult) -> None:
    if not files or all(file.stat().st_size == 0 for file in files):
        message = f"fasterq-dump ended without an error but wrote no reads of {path.name}."
        raise ToolFailedError(message, exit_status_of_tool=0, output=result.stderr)
