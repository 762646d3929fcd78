import subprocess
from pathlib import Path

import numpy as np
import pytest

from refinebio_assets.domain.errors import ToolFailedError, ToolMissingError
from resources.tools import r
from resources.tools.r import RStatus, r_available, write_txi_rds

REFERENCE = Path(__file__).parents[2] / "data" / "rnaseq" / "salmon"
GENES, SAMPLES = ["ENSG1", "ENSG2", "gène"], ["SRR1", "SRR2"]


def matrices():
    rng = np.random.default_rng(7)
    return {name: rng.random((3, 2)) * 1000 for name in ("abundance", "counts", "length")}


def rscript(code, *arguments):
    done = subprocess.run(
        ["Rscript", "--vanilla", "-e", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_installed_of_r_is_found():
    status = r_available()
    assert status.can_write_rds, "Install R and rpy2: apt-get install r-base-core; pip install 'rpy2>=3.5.17,<3.6'"
    assert status.version.startswith("4.")
    assert "tximport" in status.packages, "Install tximport for R: apt-get install r-bioc-tximport"


def test_the_written_list_is_the_one_that_tximport_makes_of_the_same_quant_files(tmp_path):
    theirs = tmp_path / "theirs.rds"
    quants = [REFERENCE / f"ggal_gut_k{kmer}" / "quant.sf" for kmer in (23, 31)]
    names = [line.split("\t")[0] for line in quants[0].read_text().splitlines()[1:]]
    tx2gene = tmp_path / "tx2gene.tsv"
    tx2gene.write_text("".join(f"{name}\tgene{at // 2}\n" for at, name in enumerate(names)))
    code = """
        a <- commandArgs(TRUE); f <- c(k23 = a[1], k31 = a[2]); options(digits = 22)
        x <- suppressMessages(tximport::tximport(f, type = "salmon", tx2gene = read.delim(a[3], header = FALSE)))
        saveRDS(x, a[4])
        cat(rownames(x$counts), colnames(x$counts), sep = "\\n"); cat("\\n")
        for (m in c("abundance", "counts", "length")) cat(sprintf("%.17g", t(x[[m]])), sep = "\\n", fill = TRUE)
    """
    words = rscript(code, *quants, tx2gene, theirs).split()
    genes, samples, numbers = words[:3], words[3:5], np.array(words[5:], dtype=float).reshape(3, 3, 2)
    mine = write_txi_rds(
        tmp_path / "mine.rds", genes=genes, samples=samples, abundance=numbers[0], counts=numbers[1], length=numbers[2]
    )
    compare = "a <- commandArgs(TRUE); cat(identical(readRDS(a[1]), readRDS(a[2])))"
    assert rscript(compare, mine, theirs) == "TRUE"


def test_the_same_values_give_the_same_bytes_and_leave_nothing_else(tmp_path):
    paths = [tmp_path / "a.rds", tmp_path / "b.rds"]
    for path in paths:
        write_txi_rds(path, genes=GENES, samples=SAMPLES, **matrices())
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert sorted(tmp_path.iterdir()) == paths


def test_names_and_values_read_back_equal(tmp_path):
    given = matrices()
    path = write_txi_rds(tmp_path / "txi.rds", genes=GENES, samples=SAMPLES, **given, counts_from_abundance="scaledTPM")
    code = """
        x <- readRDS(commandArgs(TRUE)); cat(names(x), rownames(x$length), colnames(x$abundance), x$countsFromAbundance)
        cat("", sprintf("%.17g", t(x$counts)))
    """
    words = rscript(code, path).split()
    assert words[:4] == ["abundance", "counts", "length", "countsFromAbundance"]
    assert words[4:10] == [*GENES, *SAMPLES, "scaledTPM"]
    assert np.array_equal(np.array(words[10:], dtype=float).reshape(3, 2), given["counts"])


def test_a_matrix_of_the_wrong_shape_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"counts has shape \(2, 3\)"):
        write_txi_rds(tmp_path / "x.rds", genes=GENES, samples=SAMPLES, **(matrices() | {"counts": np.ones((2, 3))}))


def test_without_r_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not r_available().installed
    with pytest.raises(ToolMissingError, match=r"R was not found\..*apt-get install r-base-core"):
        write_txi_rds(tmp_path / "x.rds", genes=GENES, samples=SAMPLES, **matrices())


def test_without_rpy2_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(r, "_rpy2_version", lambda: None)
    assert not r_available().can_write_rds
    with pytest.raises(ToolMissingError, match="rpy2"):
        write_txi_rds(tmp_path / "x.rds", genes=GENES, samples=SAMPLES, **matrices())


def test_an_r_that_cannot_run_counts_as_not_installed(tmp_path, monkeypatch):
    broken = tmp_path / "Rscript"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert r_available() == RStatus(installed=False, rpy2=r_available().rpy2)


def test_a_failure_of_r_keeps_its_words_and_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setenv("R_HOME", str(tmp_path / "nowhere"))
    with pytest.raises(ToolFailedError) as caught:
        write_txi_rds(tmp_path / "x.rds", genes=GENES, samples=SAMPLES, **matrices())
    assert caught.value.output
    assert list(tmp_path.iterdir()) == []
