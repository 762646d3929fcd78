"""Fixed sequences instead of ``std::random_device`` and ``/dev/urandom``: one-threaded Salmon then repeats bit for bit.

The library is a few lines of C (``pinned_random_device.c`` beside this file), compiled once into a cache folder and
preloaded with ``LD_PRELOAD``. It works on Linux with a C compiler and a program that is linked dynamically against
libstdc++; everywhere else the program simply runs as it always does. Whether it took effect is not guessed: the library
itself leaves a proof.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import structlog

from refinebio_assets.domain.errors import ToolError
from resources.object_store.temporary import temporary_folder
from resources.tools.process import run_tool

SOURCE = Path(__file__).with_name("pinned_random_device.c")
PROOF_VARIABLE = "REFINEBIO_PINNED_RANDOM_DEVICE"
_PROOF = "took-effect"
_COMPILE_SECONDS = 60.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PinnedRandomDevice:
    """The compiled library."""

    library: Path

    @classmethod
    def compile(cls, cache_dir: Path) -> PinnedRandomDevice | None:
        """The library in the cache folder, compiled if it is not there yet; None where it cannot be had.

        The file's name holds the hash of its source, and it appears by a rename, so any number of processes may share
        the folder.
        """
        digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
        library = cache_dir / f"pinned_random_device-{digest}.so"
        if sys.platform != "linux":
            return None
        if library.is_file():
            return cls(library)
        compiler = _find_compiler()
        if compiler is None:
            return None
        with temporary_folder(cache_dir, library.name) as folder:
            unfinished = folder / library.name
            command: list[str | Path] = [compiler, "-shared", "-fPIC", "-O2", "-o", unfinished, SOURCE, "-ldl"]
            try:
                run_tool(command, timeout_seconds=_COMPILE_SECONDS)
            except ToolError as error:
                _log.warning("pinned_random_device_not_compiled", reason=str(error))
                return None
            unfinished.replace(library)
        return cls(library)

    def environment(self, folder: Path) -> dict[str, str]:
        """Variables for the environment of a program that is started in ``folder``.

        Args:
            folder: Working directory of this one run. :func:`took_effect` finds the proof there. The library is linked
                into it and named relative to it, because ``LD_PRELOAD`` cannot name a path with a space or a colon.
        """
        link = folder / "pinned_random_device.so"
        link.symlink_to(self.library.absolute())
        others = os.environ.get("LD_PRELOAD")
        preload = f"./{link.name}:{others}" if others else f"./{link.name}"
        return {"LD_PRELOAD": preload, PROOF_VARIABLE: str((folder / _PROOF).absolute())}


def _find_compiler() -> str | None:
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def took_effect(folder: Path) -> bool:
    """Whether the program that ran with this folder took its entropy from the library."""
    return (folder / _PROOF).exists()
