"""What a process and the calls it makes use: cpu and wall-clock seconds, peak memory.

A measured process prints a line ``CALL name cpu wall`` for each of its calls; :data:`TIMER` is what Python scripts need
for that. The figures of the process itself are the kernel's (``wait4``).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# A process of its own, since a child's peak memory counts from that of its parent at the fork.
_MEASURE = """
import os, sys, time
started = time.perf_counter()
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
wall = time.perf_counter() - started
print("PROCESS", usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)
sys.exit(os.waitstatus_to_exitcode(status))
"""
TIMER = """
import time
from contextlib import contextmanager
@contextmanager
def call(name):
    cpu, wall = time.process_time(), time.perf_counter()
    yield
    print("CALL", name, time.process_time() - cpu, time.perf_counter() - wall, flush=True)
"""


@dataclass(frozen=True)
class Used:
    """Seconds."""

    cpu: float
    wall: float


@dataclass(frozen=True)
class Run:
    """What one process used: in all, and by call; everything else that it printed."""

    process: Used
    peak_mb: float
    calls: dict[str, Used]
    said: dict[str, str]


def run(command: Sequence[str | Path], *, show_progress: bool = False) -> Run:
    """Run a process and see what it used; a line ``SAID name text`` is kept. Its stderr may be shown as it comes."""
    measured = [sys.executable, "-S", "-c", _MEASURE, *map(str, command)]
    errors = None if show_progress else subprocess.PIPE
    finished = subprocess.run(measured, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT, check=False)
    if finished.returncode:
        raise SystemExit(f"{command[0]} failed:\n{finished.stdout}{finished.stderr or ''}")
    words = [line.split(maxsplit=2) for line in finished.stdout.splitlines() if line.strip()]
    calls = {rest[0]: Used(*map(float, rest[1].split())) for first, *rest in words if first == "CALL"}
    said = {rest[0]: rest[1] for first, *rest in words if first == "SAID"}
    cpu, wall, peak = next(map(float, " ".join(rest).split()) for first, *rest in words if first == "PROCESS")
    return Run(Used(cpu, wall), peak, calls, said)


def least(runs: Sequence[Run]) -> Run:
    """Figure by figure the least of several runs: what is left when the neighbours on the machine keep quiet."""

    def of(used: Sequence[Used]) -> Used:
        return Used(min(one.cpu for one in used), min(one.wall for one in used))

    calls = {name: of([one.calls[name] for one in runs]) for name in runs[0].calls}
    return Run(of([one.process for one in runs]), min(one.peak_mb for one in runs), calls, runs[-1].said)
