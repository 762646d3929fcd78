"""The demo on its real study: equal to R's tximport and to Salmon by itself, the same bytes again, and kept."""

from __future__ import annotations

import csv
import gzip
import json
import os
import subprocess
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from examples.local_archive import LocalArchive
from refinebio_assets.domain.vocabulary import IndexLength
from resources.tools.pinned_random_device import PinnedRandomDevice
from tests.end_to_end.conftest import BUNDLED_STUDY, ORGANISM
from tests.end_to_end.installation import Installation, installed

pytestmark = pytest.mark.end_to_end

STUDY = "SRP010938"
EXAMPLES = BUNDLED_STUDY.parents[1]
RUNS = ["SRR446027", "SRR446029", "SRR446031", "SRR446039", "SRR446043"]
FLOAT32 = 2.0**-24
"""Largest relative error of rounding to float32, in which matrices are stored."""

TXIMPORT = """
    a <- commandArgs(TRUE); folder <- a[1]; samples <- a[-(1:4)]
    files <- setNames(file.path(a[2], samples, "quant.sf.gz"), samples)
    map <- read.delim(a[3], header = FALSE, colClasses = "character")[, 2:1]
    import <- function(mode) suppressMessages(
        tximport::tximport(files, type = "salmon", tx2gene = map, countsFromAbundance = mode))
    txi <- import("no")
    parts <- list(counts = txi$counts, abundance = txi$abundance, length = txi$length,
                  lengthScaledTPM = import("lengthScaledTPM")$counts, scaledTPM = import("scaledTPM")$counts)
    for (part in names(parts)) {
        text <- parts[[part]]; text[] <- sprintf("%.17g", text)
        write.table(text, file.path(folder, part), sep = "\\t", quote = FALSE, col.names = NA)
    }
    ours <- readRDS(a[4])
    stopifnot(identical(names(ours), names(txi)), ours$countsFromAbundance == txi$countsFromAbundance)
    apart <- function(x, y) { stopifnot(identical(dimnames(x), dimnames(y))); max(abs(x - y) / pmax(abs(y), 1e-12)) }
    cat(sprintf("%.3g", sapply(c("counts", "abundance", "length"), function(part) apart(ours[[part]], txi[[part]]))))
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Installation:
    """A home in which the demo has run, with what it printed in ``demo.json``."""
    with installed(tmp_path_factory.mktemp("demo") / "home", None) as installation:
        printed = installation.json("demo")
        (installation.home / "demo.json").write_text(json.dumps(printed))
        return installation


@pytest.fixture(scope="module")
def printed(demo: Installation) -> dict:
    return json.loads((demo.home / "demo.json").read_text())


def index_folder(installation: Installation, length: str) -> Path:
    folder = installation.objects / "transcriptome_index" / ORGANISM / length
    return folder / (folder / "current").read_text().strip()


def gene_of(installation: Installation, length: str) -> dict[str, str]:
    lines = (index_folder(installation, length) / "genes_to_transcripts.tsv").read_text().splitlines()
    return {transcript: gene for gene, transcript in (line.split("\t") for line in lines)}


def said_by_salmon(installation: Installation, run: str) -> dict:
    return json.loads((installation.quant_file(STUDY, run).parent / "salmon.json").read_text())


def test_all_samples_reach_expression(printed):
    assert [sample["sample"] for sample in printed["samples"]] == RUNS
    assert {sample["state"] for sample in printed["samples"]} == {"processed"}
    assert all(sample["quantified_now"] and sample["mapped_percent"] > 40 for sample in printed["samples"])
    assert (printed["samples_processed"], printed["failures"]) == (5, [])
    assert printed["genes"] > 100
    assert all(Path(file).stat().st_size > 0 for file in printed["files"])


@pytest.fixture(scope="module")
def r_tximport(demo, tmp_path_factory) -> tuple[dict[str, pd.DataFrame], list[float]]:
    """What R's tximport makes of the stored quant files, and how far the stored RDS is from its list."""
    folder = tmp_path_factory.mktemp("tximport")
    short, long = (index_folder(demo, length) / "genes_to_transcripts.tsv" for length in ("short", "long"))
    assert short.read_text() == long.read_text()
    rds = demo.expression(STUDY).with_name(f"{STUDY}_txi.rds")
    arguments = [folder, demo.objects / "quant_files" / STUDY, short, rds, *RUNS]
    done = subprocess.run(
        ["Rscript", "--vanilla", "-e", TXIMPORT, *map(str, arguments)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"Install it: apt-get install r-bioc-tximport r-cran-readr\n{done.stderr}"
    names = ("counts", "abundance", "length", "lengthScaledTPM", "scaledTPM")
    matrices = {name: pd.read_csv(folder / name, sep="\t", index_col=0, float_precision="round_trip") for name in names}
    return matrices, [float(word) for word in done.stdout.split()]


def largest_difference(ours: pd.DataFrame, theirs: pd.DataFrame) -> float:
    """Largest relative difference; both have the same genes and samples, and zeros at the same places."""
    assert list(ours.index) == list(theirs.index)
    assert list(ours.columns) == list(theirs.columns)
    a, b = ours.to_numpy(dtype=np.float64), theirs.to_numpy(dtype=np.float64)
    assert ((a == 0) == (b == 0)).all()
    return float(np.max(np.abs(a - b) / np.where(b == 0, 1.0, np.abs(b))))


@pytest.mark.parametrize("layer", ["counts", "abundance", "length", "lengthScaledTPM", "scaledTPM"])
def test_expression_equals_r_tximport_on_the_same_quant_files(demo, r_tximport, layer, figures):
    matrices, _ = r_tximport
    stored = anndata.read_h5ad(demo.expression(STUDY)).to_df(layer=layer).T

    difference = largest_difference(stored, matrices[layer])

    genes, samples = stored.shape
    figures(f"{layer} and R tximport: {genes} genes x {samples} samples, relative difference <= {difference:.2g}")
    assert difference <= 1.01 * FLOAT32 < 1e-6


def test_the_parquet_file_equals_r_tximport(demo, r_tximport):
    matrices, _ = r_tximport
    parquet = pd.read_parquet(demo.expression(STUDY).with_name(f"{STUDY}_lengthScaledTPM.parquet")).set_index("Gene")

    assert largest_difference(parquet, matrices["lengthScaledTPM"]) <= 1.01 * FLOAT32


def test_the_rds_is_the_list_that_r_tximport_gives(r_tximport, figures):
    _, apart = r_tximport
    figures(f"RDS and R tximport: relative difference of counts, abundance, length {apart}")
    assert max(apart) <= 1e-12


def run_salmon(installation: Installation, run: str, output: Path, **environment: str) -> Path:
    """Run Salmon by hand, in the folder of its output, on the bundled FASTQ with the stored index."""
    index = index_folder(installation, said_by_salmon(installation, run)["index_length"])
    reads = sorted((BUNDLED_STUDY / "files").rglob(f"{run}_?.fastq.gz"))
    flags = "--no-version-check quant -l A --biasSpeedSamp 5 --gcBias --seqBias --dumpEq --writeUnmappedNames"
    command = ["salmon", *flags.split(), "-i", index, "-1", reads[0], "-2", reads[1], "-p", "1", "-o", output]
    subprocess.run(
        command, cwd=output.parent, env=os.environ | environment, check=True, capture_output=True, timeout=120
    )
    return output


def reads_per_gene(quant_sf: str, gene_of_transcript: dict[str, str]) -> dict[str, float]:
    genes: dict[str, float] = defaultdict(float)
    for row in csv.DictReader(quant_sf.splitlines(), delimiter="\t"):
        genes[gene_of_transcript[row["Name"]]] += float(row["NumReads"])
    return genes


def genes_that_share_reads(output: Path, gene_of_transcript: dict[str, str]) -> dict[str, str]:
    """For each gene the name of its group: genes to which the same reads map, directly or by way of others.

    How Salmon divides reads between such genes changes from run to run; how many the group has does not.
    """
    lines = gzip.decompress((output / "aux_info/eq_classes.txt.gz").read_bytes()).decode().splitlines()
    names = lines[2 : 2 + int(lines[0])]
    group = {gene: gene for gene in gene_of_transcript.values()}

    def root(gene: str) -> str:
        while group[gene] != gene:
            gene = group[gene]
        return gene

    for line in lines[2 + len(names) :]:
        count, *members = map(int, line.split())
        first, *others = (gene_of_transcript[names[member]] for member in members[:count])
        for gene in others:
            group[root(gene)] = root(first)
    return {gene: root(gene) for gene in group}


def apart(ours: dict[str, float], theirs: dict[str, float]) -> float:
    assert sorted(ours) == sorted(theirs)
    return max(abs(ours[name] - theirs[name]) for name in theirs)


def summed(values: dict[str, float], group: dict[str, str]) -> dict[str, float]:
    sums: dict[str, float] = defaultdict(float)
    for name, value in values.items():
        sums[group[name]] += value
    return sums


@pytest.mark.parametrize("run", RUNS)
def test_quantifications_equal_salmon_run_by_itself(demo, run, tmp_path, figures):
    output = run_salmon(demo, run, tmp_path / run)
    said = said_by_salmon(demo, run)
    genes = gene_of(demo, said["index_length"])
    ours = reads_per_gene(gzip.decompress(demo.quant_file(STUDY, run).read_bytes()).decode(), genes)
    theirs = reads_per_gene((output / "quant.sf").read_text(), genes)
    group = genes_that_share_reads(output, genes)
    alone = {gene for gene, members in Counter(group.values()).items() if members == 1}
    correlation = spearmanr([ours[gene] for gene in theirs], list(theirs.values())).statistic
    mapped = json.loads((output / "aux_info/meta_info.json").read_text())["num_mapped"]

    in_groups = apart(summed(ours, group), summed(theirs, group))
    figures(
        f"{mapped} mapped in both, NumReads at most {in_groups:.2g} apart ({len(alone)} genes by themselves, "
        f"{len(set(group.values())) - len(alone)} groups that share reads; within these {apart(ours, theirs):.2g}), "
        f"Spearman {correlation:.6f}"
    )
    assert said["metrics"]["num_mapped"] == mapped
    assert len(alone) > 100
    assert in_groups <= 0.05
    assert apart(ours, theirs) <= 1.0
    assert correlation >= 0.99


def test_salmon_run_by_itself_without_randomness_gives_the_same_bytes(demo, tmp_path):
    pinned = PinnedRandomDevice.compile(demo.scratch / "tools")
    assert pinned is not None, "Install a C compiler: apt-get install gcc libc6-dev"

    output = run_salmon(demo, RUNS[0], tmp_path / "output", **pinned.environment(tmp_path))

    assert gzip.decompress(demo.quant_file(STUDY, RUNS[0]).read_bytes()) == (output / "quant.sf").read_bytes()


def test_the_demo_in_another_home_gives_the_same_bytes(demo, tmp_path):
    with installed(tmp_path / "elsewhere", None) as other:
        other.json("demo")
        theirs = other.stored()

    ours = demo.stored()
    assert all(said_by_salmon(demo, run)["reproducible"] for run in RUNS)
    kinds = ("quant.sf.gz", "salmon.json", ".h5ad", ".parquet", ".rds", ".json.gz", "index.json", "manifest.json")
    of_compendium = (".npy", "_target.tsv", ".zarr.zip", ".tsv.gz", "SAPIENS.zip", "_qc_report.html", "_model.npz")
    for kind in kinds + of_compendium:
        assert any(name.endswith(kind) for name in ours), f"no {kind}"
    assert theirs == ours


def test_run_again_it_keeps_everything(demo, printed):
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in demo.objects.rglob("*.gz")}
    hashes = demo.stored()

    again = demo.json("demo")

    assert not any(sample["quantified_now"] for sample in again["samples"])
    assert {one["outcome"] for one in again["matrices"]} == {"unchanged"}
    compendium = {name: value for name, value in again["compendium"].items() if name != "outcome"}
    assert compendium == {name: value for name, value in printed["compendium"].items() if name != "outcome"}
    assert (printed["compendium"]["outcome"], again["compendium"]["outcome"]) == ("built", "reused")
    assert [sample["state"] for sample in again["samples"]] == ["processed"] * 5
    assert demo.stored() == hashes
    unchanged = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in before}
    assert unchanged == before, "a quant file was written again"
    assert {path.parent.name for path in demo.scratch.rglob("*") if path.is_file()} == {"tools"}
    with demo.catalog() as catalog:
        assert catalog.ledger.counts(STUDY) == {"processed": 5}
        for run in RUNS:
            states = [row.state for row in catalog.ledger.history(run)]
            assert states == ["surveyed", "downloaded", "quantified", "processed"]


def test_whole_studies_of_the_public_archives_are_kept_out_of_the_demos_catalog(demo):
    before = demo.stored()
    for command in ("survey", "ingest"):
        assert demo.json(command, STUDY, status=2)["error"]["code"] == "bad_configuration"
    with demo.session() as session:
        failed = session.survey(STUDY)
    assert failed is not None
    assert "is the demo's" in failed.message
    assert demo.stored() == before


@pytest.mark.parametrize("query", [STUDY, "SRR446029"])
def test_an_ingest_of_the_study_finds_everything_done(demo, command, query):
    hashes = demo.stored()

    with LocalArchive().serve() as archive:
        status, answer = command(replace(demo, archive=archive), "ingest", query)
        assert archive.requests_for("fastq.gz") == []

    assert status == 0
    (item,) = answer["items"]
    assert (item["outcome"], item["experiment"], item["states"]) == ("done", STUDY, {"processed": 5})
    assert demo.stored() == hashes


def test_status_says_where_every_sample_is(demo):
    (item,) = demo.json("status", STUDY)["items"]

    assert (item["state"], item["counts"]) == ("processed", {"processed": 5})
    assert [sample["accession"] for sample in item["samples"]] == RUNS
    assert all(sample["message"] for sample in item["samples"])
    assert demo.run("status", STUDY).stdout.count("processed") >= 6


@pytest.mark.parametrize("query", [STUDY, "SRR446027"])
def test_any_accession_resolves_to_the_study(demo, query):
    (item,) = demo.json("resolve", query)["items"]

    assert item["outcome"] == "found"
    assert item["experiments"] == [STUDY]
    assert set(item["samples"]) <= set(RUNS)
    assert item["samples"]


def test_indices_of_both_lengths_are_in_the_catalog(demo):
    with demo.catalog() as catalog:
        for length in IndexLength:
            info = catalog.current_transcriptome_index(ORGANISM, length)
            assert info is not None
            assert index_folder(demo, length.value).name == info.sha256
            assert demo.objects / info.key_prefix == index_folder(demo, length.value)


def test_a_geo_series_is_surveyed_with_a_reason_for_every_sample(demo: Installation, printed: dict) -> None:
    assert printed["series"]["experiment"] == "GSE1074"
    told = {row["state"]: (row["samples"], row["why"]) for row in printed["series"]["platforms"]}
    assert {state: samples for state, (samples, _) in told.items()} == {"surveyed": 12, "unsupported_platform": 12}
    assert "two-colour" in told["unsupported_platform"][1]
    (item,) = demo.json("resolve", "E-GEOD-1074")["items"]
    assert (item["outcome"], item["experiments"], len(item["samples"])) == ("found", ["GSE1074"], 24)


def test_an_array_becomes_expression_as_the_command_by_itself_makes_it(
    demo: Installation, printed: dict, tmp_path: Path
) -> None:
    (sample,) = printed["arrays"]["samples"]
    assert (sample["sample"], sample["state"]) == ("E-MTAB-3050-1007409-C30057", "processed")
    made = anndata.read_h5ad(demo.objects / "array_expression/E-MTAB-3050/E-MTAB-3050.h5ad")
    assert made.shape == (1, 6673)
    cel = EXAMPLES / "studies/E-MTAB-3050/biostudies/E-MTAB-3050/files/C30057.CEL.gz"
    probes = EXAMPLES / "platforms/hgu95av2_ensg_probe.tsv.xz"
    out = tmp_path / "scan.tsv"
    words = ["compute", "scan", str(cel), "--probe-table", str(probes), "--probe-summary", str(probes)]
    assert demo.run(*words, "--out", str(out)).returncode == 0
    alone = pd.read_csv(out, sep="\t", index_col="Gene", float_precision="round_trip").iloc[:, 0]
    np.testing.assert_array_equal(made[:, alone.index].X[0], alone.to_numpy(np.float32))


@pytest.fixture(scope="module")
def compendium(printed: dict) -> anndata.AnnData:
    (file,) = [file for file in printed["compendium"]["files"] if file.endswith(".h5ad")]
    return anndata.read_h5ad(file)


def test_two_imported_matrices_and_an_array_become_one_human_compendium(
    printed: dict, compendium: anndata.AnnData
) -> None:
    made = printed["compendium"]
    assert [one["outcome"] for one in printed["matrices"]] == ["imported"] * 2
    assert (made["samples"], made["filtered"], made["technologies"]) == (198, 0, {"MICROARRAY": 129, "RNA_SEQ": 69})
    assert compendium.shape == (made["samples"], made["genes"])
    assert dict(compendium.obs["experiment"].value_counts()) == {
        "LOCAL-CHIARETTI-2004": 128, "LOCAL-PICKRELL-2010": 69, "E-MTAB-3050": 1,
    }  # fmt: skip
    assert (printed["qn_target"]["samples"], printed["qn_target"]["platform"]) == (128, "hgu95av2")
    assert set(compendium.obs["sex"]) == {"", "female", "male"}
    report = Path(made["report"]).read_text()
    assert made["version"] in report
    assert "://" not in report


def test_what_was_measured_is_kept_what_was_not_is_marked(printed: dict, compendium: anndata.AnnData) -> None:
    mask = np.asarray(compendium.layers["imputed"])
    assert mask.mean() == pytest.approx(printed["compendium"]["share_imputed"])
    assert 0.01 < mask.mean() < 0.1
    arrays = pd.read_csv(EXAMPLES / "matrices/chiaretti2004_log2.tsv.gz", sep="\t", index_col="Gene").T
    counts = pd.read_csv(EXAMPLES / "matrices/pickrell2010_counts.tsv.gz", sep="\t", index_col="Gene").T
    sources = {"LOCAL-CHIARETTI-2004": arrays, "LOCAL-PICKRELL-2010": np.log2(counts + 1)}
    before = compendium.to_df("before_qn")
    for experiment, source in sources.items():
        expected = source.set_axis(f"{experiment}-" + source.index).reindex(columns=compendium.var_names)
        rows = compendium.obs["experiment"] == experiment
        measured = ~mask[rows]
        values = expected.loc[compendium.obs_names[rows]].to_numpy()
        np.testing.assert_allclose(before[rows].to_numpy()[measured], values[measured], rtol=1e-6)
    assert not mask[compendium.obs["experiment"] == "LOCAL-CHIARETTI-2004"].any()
    assert np.isfinite(np.asarray(compendium.X)).all()


def test_arrays_of_the_compendium_have_the_distribution_of_the_target(
    printed: dict, compendium: anndata.AnnData
) -> None:
    target = np.loadtxt(printed["qn_target"]["file"])
    sorted_values = np.sort(np.asarray(compendium.X)[compendium.obs["technology"] == "MICROARRAY"], axis=1)
    assert len(target) == compendium.n_vars
    apart = np.abs(sorted_values - target)  # genes that tie, at three decimals, share what the target has for both
    assert (apart.max() < 0.1, apart.mean() < 1e-3) == (True, True)


def test_a_gene_of_all_human_samples_is_read_from_the_store(demo: Installation) -> None:
    found = demo.json("export", "--gene", "ENSG00000141510", "--organism", "Homo sapiens", "--technology", "rna_seq")
    counts = pd.read_csv(EXAMPLES / "matrices/pickrell2010_counts.tsv.gz", sep="\t", index_col="Gene")
    values = {row["accession"].rsplit("-", 1)[1]: row["values"]["ENSG00000141510"] for row in found["samples"]}
    assert values == counts.loc["ENSG00000141510"].to_dict()
