import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.domain.errors import MalformedFileError, ToolFailedError
from refinebio_assets.domain.records import OriginalFile
from refinebio_assets.rna_seq.quantification import disk_was_full
from refinebio_assets.rna_seq.salmon import (
    QuantificationMethod,
    compress,
    failure_decision,
    portable_command,
    quality_decision,
    quant_flags,
    quantification_fingerprint,
    read_quantification,
    salmon_document,
    whole_quant_sf,
)

META = Path(__file__).parents[1] / "data" / "rnaseq" / "salmon" / "ggal_gut_k31" / "meta_info.json"
COUNTS = {"compatible_fragment_ratio": 1.0, "num_assigned_fragments": 1411, "strand_mapping_bias": 0.52}
MATES = (
    OriginalFile(url="https://x/S_1.fastq.gz", filename="S_1.fastq.gz", kind="fastq", mate=1, size_bytes=5, md5="a"),
    OriginalFile(url="https://x/S_2.fastq.gz", filename="S_2.fastq.gz", kind="fastq", mate=2, size_bytes=6, md5="b"),
)


def output(folder, *, meta=None, counts=None):
    (folder / "aux_info").mkdir(parents=True)
    (folder / "aux_info" / "meta_info.json").write_text(meta or META.read_text())
    (folder / "lib_format_counts.json").write_text(counts or json.dumps(COUNTS))
    return folder


@pytest.fixture
def quantification(tmp_path):
    return read_quantification(output(tmp_path / "out"))


def test_flags_are_those_of_refine_bio():
    paired = "-l A --biasSpeedSamp 5 --gcBias --seqBias --dumpEq --writeUnmappedNames"
    single = "-l A --seqBias --dumpEq --writeUnmappedNames"
    assert quant_flags(paired=True) == tuple(paired.split())
    assert quant_flags(paired=False) == tuple(single.split())


def test_the_container_matters_to_the_old_method_only():
    for paired in (True, False):
        assert quant_flags(paired=paired, source="sra") == quant_flags(paired=paired, source="fastq")
    old = QuantificationMethod.REFINEBIO_1
    assert quant_flags(paired=True, source="fastq", method=old) == quant_flags(paired=True)
    assert quant_flags(paired=True, source="sra", method=old) == quant_flags(paired=False)


def test_reports_of_salmon_are_read(quantification):
    assert (quantification.num_processed, quantification.num_mapped) == (2937, 1413)
    assert quantification.percent_mapped == pytest.approx(48.11031664964249)
    assert (quantification.library_type, quantification.salmon_version) == ("IU", "1.10.1")
    assert quantification.is_paired
    assert quantification.num_assigned_fragments == 1411


def test_numbers_that_salmon_could_not_give_are_none(tmp_path):
    counts = json.dumps(COUNTS | {"strand_mapping_bias": float("nan"), "compatible_fragment_ratio": None})
    found = read_quantification(output(tmp_path / "out", counts=counts))
    assert (found.strand_mapping_bias, found.compatible_fragment_ratio) == (None, None)
    salmon_document(found, command=(), reproducible=False, method=QuantificationMethod.REFINEBIO_2, details={})


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "num_processed"),
        ('{"num_processed": "x"}', "usable value"),
    ],
)
def test_a_report_that_is_broken_is_refused(tmp_path, meta, words):
    with pytest.raises(MalformedFileError, match=words):
        read_quantification(output(tmp_path / "out", meta=meta))


def test_a_report_that_is_missing_is_named(tmp_path):
    with pytest.raises(MalformedFileError, match=r"meta_info\.json: There is no such file"):
        read_quantification(tmp_path)


def test_a_sample_that_maps_is_quantified(quantification):
    decision = quality_decision(quantification, 10, organism="GALLUS_GALLUS")
    assert (decision.state, decision.reason) == ("quantified", "quantified")
    assert decision.message == "48.1 % of 2,937 read pairs map to the transcriptome of Gallus gallus."


def test_a_sample_that_maps_too_little_fails_and_says_how_much_is_needed(quantification):
    poor = replace(quantification, library_type="U", num_processed=20_000, num_mapped=620, percent_mapped=3.1)
    decision = quality_decision(poor, 10, organism="ARABIDOPSIS_THALIANA")
    assert (decision.state, decision.reason) == ("failed_qc", "low_mapping_rate")
    assert decision.message == (
        "Only 3.1 % of 20,000 reads map to the transcriptome of Arabidopsis thaliana (at least 10 % are needed)."
    )


def test_the_threshold_itself_passes_and_just_below_does_not_read_as_the_threshold(quantification):
    at, below = (replace(quantification, percent_mapped=value) for value in (10.0, 9.97))
    assert quality_decision(at, 10, organism="GALLUS_GALLUS").state == "quantified"
    assert quality_decision(below, 10, organism="GALLUS_GALLUS").message.startswith("Only 9.9 %")


def test_a_sample_without_reads_is_corrupt(quantification):
    empty = replace(quantification, num_processed=0, num_mapped=0, percent_mapped=0.0)
    assert quality_decision(empty, 10, organism="GALLUS_GALLUS").state == "corrupt_file"


def test_a_failed_run_keeps_salmons_last_words():
    error = ToolFailedError("salmon was killed by SIGKILL (out of memory?).", output="first\n\nloading index\n")
    decision = failure_decision(error, organism="GALLUS_GALLUS")
    assert (decision.state, decision.reason) == ("failed_processing", "tool_failed")
    assert decision.message.endswith("SIGKILL (out of memory?). Salmon's last words: first / loading index")


def fingerprint(files=MATES, index="f" * 64, version="1.10.1", method="refinebio-2", layout="PAIRED"):
    return quantification_fingerprint(files, index, version, method, layout)


def test_the_fingerprint_is_stable():
    assert fingerprint() == "01f396e9a94750ae64490e0576a85d846f3335610c8a419ed05a8937fc123171"
    assert fingerprint(files=MATES[::-1]) == fingerprint()


def test_the_fingerprint_changes_with_each_input_and_not_with_a_mirror():
    changed = [
        fingerprint(files=MATES[:1]),
        fingerprint(files=(replace(MATES[0], md5="c"), MATES[1])),
        fingerprint(files=(replace(MATES[0], size_bytes=7), MATES[1])),
        fingerprint(index="e" * 64),
        fingerprint(version="1.10.3"),
        fingerprint(method="refinebio-1"),
        fingerprint(layout="SINGLE"),
    ]
    assert len({fingerprint(), *changed}) == 8
    assert fingerprint(files=(replace(MATES[0], url="https://mirror/S_1.fastq.gz"), MATES[1])) == fingerprint()
    unknown = [(replace(MATES[0], md5=None, url=url),) for url in ("https://x/a", "https://x/b")]
    assert fingerprint(files=unknown[0]) != fingerprint(files=unknown[1])


def test_the_portable_command_names_no_path_of_the_machine():
    command = "/opt/salmon --no-version-check quant -l A --gcBias -i /s/idx -1 /s/S_1.fq -2 /s/S_2.fq -p 1 -o /s/S"
    assert " ".join(portable_command(command.split(), index="transcriptome_index/X/long/abc")) == (
        "salmon --no-version-check quant -l A --gcBias -i transcriptome_index/X/long/abc -1 S_1.fq -2 S_2.fq -p 1 -o S"
    )


def test_the_stored_document_holds_metrics_and_provenance_but_no_times(quantification):
    made = salmon_document(
        quantification,
        command=("salmon", "quant"),
        reproducible=True,
        method=QuantificationMethod.REFINEBIO_2,
        details={"index_sha256": "abc"},
    )
    document = json.loads(made)
    assert document["metrics"]["num_mapped"] == 1413
    assert (document["method"], document["reproducible"], document["index_sha256"]) == ("refinebio-2", True, "abc")
    assert b"time" not in made


@given(st.binary(max_size=2000))
def test_compressed_bytes_read_back_and_carry_no_time(content):
    packed = compress(content)
    assert gzip.decompress(packed) == content
    assert packed == compress(content)
    assert packed[4:8] == bytes(4)


def test_a_quant_file_that_is_cut_short_is_a_failure_of_the_tool(quantification, tmp_path):
    whole = b"Name\tLength\tEffectiveLength\tTPM\tNumReads\n" + b"t\t9\t9\t1\t1\n" * quantification.num_targets
    quant_sf = tmp_path / "quant.sf"
    quant_sf.write_bytes(whole)
    assert whole_quant_sf(tmp_path, quantification) == whole
    for short in (whole[:-1], whole[: whole.rindex(b"t\t")]):
        quant_sf.write_bytes(short)
        with pytest.raises(ToolFailedError, match=r"quant\.sf of 5 lines"):
            whole_quant_sf(tmp_path, quantification)


def test_a_full_disk_is_no_failure_of_the_sample(tmp_path):
    full = ToolFailedError("fasterq-dump failed with exit status 3.", output="storage exhausted while writing file")
    assert disk_was_full(full, tmp_path)
    assert not disk_was_full(ToolFailedError("salmon failed with exit status 1.", output="bad index"), tmp_path)
