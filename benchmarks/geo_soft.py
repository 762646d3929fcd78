"""Reading the metadata of a GEO family file against GEOparse: cpu of the call, whole processes, memory, equal answers.

Each run is a fresh process; the figures of the processes are those of the kernel (``wait4``). A family file is made of
the real samples of ``tests/data`` with data tables of the size of an Affymetrix array, unless a real one is given.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REAL_SAMPLES = ROOT / "tests" / "data" / "geo" / "GSE18707.soft.gz"
PROMISED_CPU, PROMISED_MEMORY = 20, 5

OURS = """
import json, sys, time
from pathlib import Path
from refinebio_assets.survey.geo_soft import read_soft_family
cpu = time.process_time()
family = read_soft_family(Path(sys.argv[1]))
print("CALL", time.process_time() - cpu)
Path(sys.argv[2]).write_text(json.dumps({
    sample.name: [sample.first("title"), sample.attributes.get("characteristics_ch1", ()), sample.table.rows]
    for sample in family.samples
}, sort_keys=True))
"""
GEOPARSE = """
import json, sys, time
from pathlib import Path
import GEOparse
GEOparse.logger.set_verbosity("ERROR")
cpu = time.process_time()
family = GEOparse.parse_GSE(sys.argv[1], open_kwargs={})
print("CALL", time.process_time() - cpu)
Path(sys.argv[2]).write_text(json.dumps({
    name: [sample.metadata["title"][0], sample.metadata.get("characteristics_ch1", []), len(sample.table)]
    for name, sample in family.gsms.items()
}, sort_keys=True))
"""

# A process of its own, since a child's peak memory counts from that of its parent at the fork.
MEASURE = """
import os, sys
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
print("PROCESS", usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True)
class Run:
    """What one process used: cpu seconds of the call, cpu seconds and peak MB of the process."""

    call: float
    process: float
    peak_mb: float


def run(python: Path, script: str, family: Path, answers: Path) -> Run:
    """Read the family in a fresh process."""
    command = [sys.executable, "-S", "-c", MEASURE, str(python), "-c", script, str(family), str(answers)]
    finished = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if finished.returncode:
        raise SystemExit(f"{python} failed:\n{finished.stderr}")
    said = {line.split()[0]: list(map(float, line.split()[1:])) for line in finished.stdout.splitlines()}
    return Run(said["CALL"][0], *said["PROCESS"])


def make_family(path: Path, *, samples: int, rows: int) -> None:
    """A family file of that many samples: real metadata, tables of probe sets with values."""
    real = gzip.decompress(REAL_SAMPLES.read_bytes()).decode()
    head, *entities = real.split("^SAMPLE = ")
    generator = random.Random(1)
    probes = [f"{1415670 + number}_at" for number in range(rows)]
    with gzip.open(path, "wt", compresslevel=6, encoding="utf-8") as file:
        file.write(head)
        for number in range(samples):
            metadata = entities[number % len(entities)].partition("!sample_table_begin")[0].partition("\n")[2]
            file.write(f"^SAMPLE = GSM{9000000 + number}\n{metadata}!sample_table_begin\n")
            file.write("ID_REF\tVALUE\n")
            values = generator.choices(range(1, 200_000), k=rows)
            file.writelines(f"{probe}\t{value / 1e4}\n" for probe, value in zip(probes, values, strict=True))
            file.write("!sample_table_end\n")


def compare(family: Path, scratch: Path, *, peer_python: Path, repeats: int) -> dict[str, float]:
    """Run both in turn, check that they answer the same, and print the ratios of the medians."""
    ours_answers, peer_answers = scratch / "ours.json", scratch / "peer.json"
    ours, peer = [], []
    for _ in range(repeats):
        ours.append(run(Path(sys.executable), OURS, family, ours_answers))
        peer.append(run(peer_python, GEOPARSE, family, peer_answers))
    answers = json.loads(ours_answers.read_text())
    if answers != json.loads(peer_answers.read_text()):
        raise SystemExit("The answers differ.")

    def median(runs: list[Run], figure: str) -> float:
        return statistics.median(getattr(one, figure) for one in runs)

    size = family.stat().st_size / 1e6
    print(f"{family.name}: {len(answers)} samples, {size:.1f} MB, equal answers")
    ratios = {}
    for figure, unit in (("call", "cpu s"), ("process", "cpu s"), ("peak_mb", "MB")):
        mine, theirs = median(ours, figure), median(peer, figure)
        ratios[figure] = theirs / mine
        print(f"  {figure:8} refinebio {mine:8.3f}  GEOparse {theirs:8.3f} {unit:6} ratio {theirs / mine:6.1f}")
    return ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--family", type=Path, nargs="*", help="family files to read instead of a made one")
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--rows", type=int, default=45_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peer-python", type=Path, required=True, help="Python with GEOparse (requirements.txt)")
    options = parser.parse_args()
    kept = True
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        families = options.family
        if not families:
            families = [scratch / "made_family.soft.gz"]
            make_family(families[0], samples=options.samples, rows=options.rows)
        for family in families:
            ratios = compare(family, scratch, peer_python=options.peer_python, repeats=options.repeats)
            kept &= ratios["call"] >= PROMISED_CPU and ratios["peak_mb"] >= PROMISED_MEMORY
    sys.exit(0 if kept else "The promise is not kept.")


if __name__ == "__main__":
    main()
