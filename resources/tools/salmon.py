"""Salmon: building an index, quantifying one sample.

Flags are the caller's; this module runs the program, checks what it left and says what happened.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from refinebio_assets.domain.errors import ToolFailedError
from resources.tools.pinned_random_device import PinnedRandomDevice, took_effect
from resources.tools.process import ToolResult, require_output, run_tool

QUANT_FILES = ("quant.sf", "aux_info/meta_info.json", "lib_format_counts.json")
"""What a successful quantification leaves; without any of them it is a failure, whatever the exit status."""

INDEX_FILES = ("info.json", "versionInfo.json", "pos.bin", "mphf.bin", "seq.bin", "ctable.bin")
"""Files every index of Salmon 1.x has."""

_VERSION_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class SalmonRun:
    """A finished quantification. ``command`` is as run; ``reproducible``: the same inputs give the same bytes."""

    directory: Path
    command: tuple[str, ...]
    seconds: float
    reproducible: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Salmon:
    """The Salmon program.

    Args:
        program: Its name or path.
        threads: Threads per run. Only with one can a quantification or an index be reproducible.
        cache_dir: Folder for the small library that makes it (and an index) so; without one, as random as Salmon is.
        timeout_seconds: Time-out of a quantification (refine.bio: three hours).
        index_timeout_seconds: Time-out of building an index.
    """

    program: str = "salmon"
    threads: int = 1
    cache_dir: Path | None = None
    timeout_seconds: float = 3 * 3600.0
    index_timeout_seconds: float = 12 * 3600.0

    def version(self) -> str:
        """The version, such as ``1.10.1``.

        Raises:
            ToolMissingError: Salmon is not installed.
            ToolFailedError: It does not say.
        """
        result = run_tool([self.program, "--no-version-check", "--version"], timeout_seconds=_VERSION_SECONDS)
        name, _, version = result.stdout.strip().partition(" ")
        if name != "salmon" or not version:
            message = f"{self.program} --version said {result.stdout[:80]!r}, which is no Salmon version."
            raise ToolFailedError(message)
        return version

    def index(self, transcripts: Path, directory: Path, *, kmer: int) -> ToolResult:
        """Build an index of a transcript FASTA in a new directory.

        The directory appears complete or not at all. Salmon's logs are left out, it runs in a folder of fixed relative
        name, and (with one thread and a ``cache_dir``) its indexer's randomness is pinned: all files of the index
        are then the same bytes for the same transcripts, k and Salmon version.

        Raises:
            ToolFailedError: Salmon failed, was killed or left an incomplete index.
        """
        directory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory.parent, prefix=".salmon-index-") as folder:
            built = Path(folder) / "index"
            command: list[str | Path] = [
                self.program,
                "--no-version-check",
                "index",
                "-t",
                transcripts.absolute(),
                "-i",
                built.name,
            ]
            command += ["-k", str(kmer), "-p", str(self.threads)]
            environment = self._environment(Path(folder))
            result = run_tool(command, cwd=Path(folder), env=environment, timeout_seconds=self.index_timeout_seconds)
            for name in INDEX_FILES:
                require_output(built / name, tool="salmon index", result=result)
            for log in built.glob("*.log"):
                log.unlink()
            _replace_directory(built, directory)
        return result

    def quant(self, *, index: Path, reads: Sequence[Path], output: Path, flags: Sequence[str]) -> SalmonRun:
        """Quantify one sample.

        Args:
            index: Directory of the index.
            reads: One FASTQ file (single-end) or two (paired), plain or gzip.
            output: Directory to make; it must not exist or be empty. Left as Salmon left it if Salmon fails.
            flags: The method's flags, see :func:`refinebio_assets.rna_seq.salmon.quant_flags`.

        Raises:
            ToolMissingError: Salmon is not installed.
            ToolFailedError: Non-zero exit, a signal, a time-out, or quant.sf, meta_info.json or lib_format_counts.json
                missing or empty. Salmon's own words are kept.
        """
        files = [str(path.absolute()) for path in reads]
        given = ("-r", files[0]) if len(files) == 1 else ("-1", files[0], "-2", files[1])
        command = [self.program, "--no-version-check", "quant", *flags, "-i", str(index.absolute()), *given]
        command += ["-p", str(self.threads), "-o", str(output.absolute())]
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=".salmon-quant-") as folder:
            environment = self._environment(Path(folder))
            result = run_tool(command, cwd=Path(folder), env=environment, timeout_seconds=self.timeout_seconds)
            reproducible = took_effect(Path(folder))
        for name in QUANT_FILES:
            require_output(output / name, tool="salmon quant", result=result)
        return SalmonRun(output, tuple(command), result.seconds, reproducible)

    def _environment(self, folder: Path) -> dict[str, str]:
        if self.threads != 1 or self.cache_dir is None:
            return {}
        pinned = PinnedRandomDevice.compile(self.cache_dir)
        return pinned.environment(folder) if pinned else {}


def _replace_directory(new: Path, directory: Path) -> None:
    """Put a finished directory in its place; an older one of that name is removed first."""
    if directory.exists():
        shutil.rmtree(directory)
    new.rename(directory)
