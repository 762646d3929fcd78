"""Running external programs: bounded in time and output, never left behind.

Every tool runs in a process group of its own beside a *watcher*, a sleeping ``sh`` that holds the reading end of a pipe
to us. When we end, however we end (also by ``SIGKILL``), the pipe closes and the watcher kills the group: the tool and
whatever it started. ``PR_SET_PDEATHSIG`` would reach only the direct child, and SRA toolkit's programs are drivers that
start the real one.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from refinebio_assets.domain.errors import ToolFailedError, ToolMissingError

LAST_WORDS_BYTES = 4096
"""How much of a tool's standard error is kept."""

STDOUT_BYTES = 4 * 1024 * 1024
"""How much of a tool's standard output is handed back when it does not go to a file."""

_WATCHER = ("/bin/sh", "-c", "read _; kill -KILL 0")


@dataclass(frozen=True, slots=True)
class Package:
    """Where a program comes from in the three package managers people use (None: not there)."""

    apt: str | None
    conda: str | None
    brew: str | None

    @property
    def remedy(self) -> str:
        """The commands that install it, for an error message."""
        ways = (
            f"apt-get install {self.apt}" if self.apt else None,
            f"conda install -c conda-forge -c bioconda {self.conda}" if self.conda else None,
            f"brew install {self.brew}" if self.brew else None,
        )
        return "Install it with one of: " + "; ".join(way for way in ways if way) + "."


PACKAGES: dict[str, Package] = {
    "salmon": Package("salmon", "salmon", "brewsci/bio/salmon"),
    "fasterq-dump": Package("sra-toolkit", "sra-tools", "sratoolkit"),
    "sra-stat": Package("sra-toolkit", "sra-tools", "sratoolkit"),
    "Rscript": Package(
        "r-base-core r-bioc-tximport r-bioc-deseq2", "r-base bioconductor-tximport bioconductor-deseq2", "r"
    ),
    "cc": Package("gcc libc6-dev", "c-compiler", "gcc"),
}
"""Programs that this platform runs, and the packages they are in."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A finished run: what was started, its output (standard error: the last 4 kB) and how long it took."""

    command: tuple[str, ...]
    stdout: str
    stderr: str
    seconds: float


def find_program(program: str) -> Path:
    """The absolute path of a program on PATH (or given as a path).

    Raises:
        ToolMissingError: It is not there; the message names the packages that have it.
    """
    found = shutil.which(program)
    if found is None:
        package = PACKAGES.get(Path(program).name)
        remedy = package.remedy if package else "Install it, or name its path in the settings."
        message = f"The program {program!r} was not found."
        raise ToolMissingError(message, remedy=remedy)
    return Path(found).absolute()


def run_tool(
    command: Sequence[str | Path],
    *,
    timeout_seconds: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdout_path: Path | None = None,
    stderr_path: Path | None = None,
) -> ToolResult:
    """Run a program to its end.

    Args:
        command: Program and arguments; no shell is involved.
        timeout_seconds: After this long the program and its children are killed.
        cwd: Working directory.
        env: Variables added to our own environment.
        stdout_path: File for standard output; otherwise the first 4 MB are in the result.
        stderr_path: File for the whole standard error; the result keeps its last 4 kB either way.

    Raises:
        ToolMissingError: The program is not installed.
        ToolFailedError: It exited non-zero, was killed by a signal or took too long; its last words are kept.
    """
    arguments = (str(find_program(str(command[0]))), *map(str, command[1:]))
    name = Path(arguments[0]).name
    with ExitStack() as stack:
        stdout = stack.enter_context(_output(stdout_path))
        stderr = stack.enter_context(_output(stderr_path))
        started = time.monotonic()
        try:
            status = _wait_in_group(arguments, timeout_seconds, stdout=stdout, stderr=stderr, cwd=cwd, env=env)
        except subprocess.TimeoutExpired as error:
            message = f"{name} was stopped because it was not done after {timeout_seconds:g} seconds."
            raise ToolFailedError(message, output=_last_words(stderr)) from error
        seconds = time.monotonic() - started
        if status != 0:
            message = f"{name} {describe_status(status)}."
            raise ToolFailedError(message, exit_status_of_tool=status, output=_last_words(stderr, stdout))
        text = "" if stdout_path else _head(stdout)
        return ToolResult(arguments, text, _last_words(stderr), seconds)


def describe_status(status: int) -> str:
    """An exit status in words: ``failed with exit status 3``, ``was killed by SIGKILL (out of memory?)``."""
    if status >= 0:
        return f"failed with exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    hint = " (out of memory?)" if name == "SIGKILL" else ""
    return f"was killed by {name}{hint}"


def require_output(path: Path, *, tool: str, result: ToolResult) -> Path:
    """Make sure that a tool that claims success has written a file with something in it.

    Raises:
        ToolFailedError: The file is missing or empty; the tool's last words are kept.
    """
    if not path.is_file() or path.stat().st_size == 0:
        state = "left an empty" if path.exists() else "did not write"
        message = f"{tool} ended without an error but {state} {path.name}."
        raise ToolFailedError(message, exit_status_of_tool=0, output=result.stderr)
    return path


def _wait_in_group(
    arguments: tuple[str, ...],
    timeout_seconds: float,
    *,
    stdout: IO[bytes],
    stderr: IO[bytes],
    cwd: Path | None,
    env: Mapping[str, str] | None,
) -> int:
    environment = {**os.environ, **(env or {})}
    with _watched_group() as group:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            cwd=cwd,
            env=environment,
            process_group=group,
        )
        try:
            return process.wait(timeout=timeout_seconds)
        finally:
            # Also after success: nothing that the tool started may outlive it.
            os.killpg(group, signal.SIGKILL)
            process.wait()


@contextmanager
def _watched_group() -> Iterator[int]:
    """A process group that dies with us; yields its id."""
    watcher = subprocess.Popen(
        _WATCHER, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0
    )
    try:
        yield watcher.pid
    finally:
        watcher.kill()
        watcher.communicate()


@contextmanager
def _output(path: Path | None) -> Iterator[IO[bytes]]:
    if path is None:
        with tempfile.TemporaryFile() as file:
            yield file
    else:
        with path.open("w+b") as file:
            yield file


def _head(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(STDOUT_BYTES).decode("utf-8", errors="replace")


def _last_words(*files: IO[bytes]) -> str:
    """The end of the first of the files that is not empty."""
    for file in files:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(max(0, size - LAST_WORDS_BYTES))
            return file.read(LAST_WORDS_BYTES).decode("utf-8", errors="replace").strip()
    return ""
