"""A study of 1,000 samples: what changed is done again, and nothing else.

Survey, downloads, store, catalog, ledger and expression are the real ones. Salmon is a stand-in that writes what Salmon
would leave in a few milliseconds and keeps a list of its calls.
"""

from __future__ import annotations

import gzip
import shutil
import stat
import time
from pathlib import Path

import anndata
import numpy as np
import pytest

from examples.synthetic import SyntheticStudy, file_columns
from refinebio_assets.domain.vocabulary import IndexLength
from refinebio_assets.runs import Session
from tests.end_to_end.conftest import ORGANISM
from tests.end_to_end.installation import Installation

pytestmark = pytest.mark.end_to_end

STUDY = "SRP900003"
SAMPLES = 1000
CHANGED = (0, 499, 999)

STAND_IN = r"""#!/bin/sh
# Salmon's quantification in a few milliseconds: reads per transcript are made up from the reads' checksum.
# Everything else is the real Salmon's.
set -eu
[ "$2" = quant ] || exec "@SALMON@" "$@"
while [ $# -gt 0 ]; do
    case "$1" in
        -r) reads=$2 ;;
        -o) output=$2 ;;
    esac
    shift
done
echo "${reads##*/}" >> "@CALLS@"
mkdir -p "$output/aux_info"
seed=$(cksum < "$reads")
awk -v seed="${seed%% *}" '
    BEGIN { print "Name\tLength\tEffectiveLength\tTPM\tNumReads" }
    { reads = (seed + 7919 * NR) % 999983;
      printf "%s\t%d\t%.3f\t%.6f\t%.3f\n", $1, 900 + NR, 700 + NR, reads / 2, reads }
' "@TRANSCRIPTS@" > "$output/quant.sf"
cp "@META@" "$output/aux_info/meta_info.json"
cp "@COUNTS@" "$output/lib_format_counts.json"
"""
META = """{"salmon_version": "1.10.1", "library_types": ["U"], "num_processed": 1000, "num_mapped": 900,
"num_valid_targets": 172, "num_eq_classes": 200, "frag_length_mean": 250.0, "frag_length_sd": 25.0,
"seq_bias_correct": true, "gc_bias_correct": false, "index_seq_hash": "0", "index_name_hash": "0"}"""
COUNTS = '{"compatible_fragment_ratio": 1.0, "num_assigned_fragments": 900, "strand_mapping_bias": 0.5}'


class StandIn:
    """The stand-in for Salmon in a folder of its own."""

    def __init__(self, folder: Path, transcripts: list[str]) -> None:
        self.program = folder / "salmon"
        self._calls = folder / "calls"
        files = {
            "CALLS": self._calls,
            "TRANSCRIPTS": folder / "names",
            "META": folder / "meta",
            "COUNTS": folder / "counts",
        }
        files["SALMON"] = Path(shutil.which("salmon") or "salmon")
        files["TRANSCRIPTS"].write_text("\n".join(transcripts) + "\n")
        files["META"].write_text(META)
        files["COUNTS"].write_text(COUNTS)
        text = STAND_IN
        for name, path in files.items():
            text = text.replace(f"@{name}@", str(path))
        self.program.write_text(text)
        self.program.chmod(self.program.stat().st_mode | stat.S_IXUSR)

    def take_calls(self) -> list[str]:
        """The reads it was called with since the last time, sorted."""
        calls = sorted(self._calls.read_text().split()) if self._calls.exists() else []
        self._calls.unlink(missing_ok=True)
        return calls


def fastq(number: int) -> bytes:
    bases = "".join("ACGT"[(number >> 2 * i) & 3] for i in range(8)) * 8
    return f"@read.{number}\n{bases}\n+\n{'I' * len(bases)}\n".encode()


def change(study: SyntheticStudy, number: int) -> str:
    """Give a run other reads; returns its accession."""
    run = study.runs[number]
    run.files = {f"{run.accession}.fastq.gz": gzip.compress(fastq(SAMPLES + number), mtime=0)}
    run.columns |= file_columns(run.accession, run.files)
    return run.accession


def express(session: Session) -> float:
    """Quantify and express the study; returns the seconds it took."""
    started = time.perf_counter()
    assert session.express(STUDY) is None
    return time.perf_counter() - started


def rows_by_sample(installation: Installation) -> dict[str, bytes]:
    value = anndata.read_h5ad(installation.expression(STUDY))
    counts = np.asarray(value.layers["counts"])
    return {sample: counts[row].tobytes() for row, sample in enumerate(value.obs_names)}


def test_of_a_thousand_samples_the_three_that_changed_are_done_again(install, transcripts, tmp_path, figures):
    stand_in = StandIn(tmp_path, list(transcripts))
    study = SyntheticStudy(STUDY)
    for number in range(SAMPLES):
        study.add_run(fastq=[fastq(number)])
    installation = install(study.write(tmp_path / "studies"), salmon=str(stand_in.program), parallel_samples="4")
    with installation.session() as session:
        assert session.survey(STUDY) is None
        for length in IndexLength:
            assert session.build_index(ORGANISM, length) is None
        first = express(session)
        assert len(stand_in.take_calls()) == SAMPLES
        assert session.catalog.ledger.counts(STUDY) == {"processed": SAMPLES}
        files, rows = installation.stored(), rows_by_sample(installation)
        assert len(set(rows.values())) == len(rows) == SAMPLES

        unchanged = express(session)
        assert stand_in.take_calls() == []
        assert installation.stored() == files

        changed = {change(study, number) for number in CHANGED}
        study.write(tmp_path / "studies")
        assert session.survey(STUDY) is None
        again = express(session)
        assert stand_in.take_calls() == sorted(f"{accession}.fastq.gz" for accession in changed)
        assert session.catalog.ledger.counts(STUDY) == {"processed": SAMPLES}

    now, rows_now = installation.stored(), rows_by_sample(installation)
    assert {name for name in rows if rows[name] != rows_now[name]} == changed
    kept = {name for name in files if name.startswith("quant_files") and now.get(name) == files[name]}
    quant_files = {name for name in now if name.endswith(("quant.sf.gz", "salmon.json"))}
    assert {Path(name).parent.name for name in quant_files - kept} == changed
    assert len(quant_files) == 2 * SAMPLES
    with installation.catalog() as catalog:
        for accession in changed:
            states = [row.state for row in catalog.ledger.history(accession)]
            assert states == ["surveyed", "downloaded", "quantified", "processed"] * 2
        assert len(catalog.ledger.history(study.runs[1].accession)) == 4
    figures(
        f"{SAMPLES} samples in {first:.1f} s ({1000 * first / SAMPLES:.1f} ms each, stand-in for Salmon included), "
        f"nothing changed {unchanged:.1f} s, 3 changed {again:.1f} s"
    )
