"""Which transcriptome index is taken for the right one, and what that means for expression."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from refinebio_assets.domain.vocabulary import IndexLength
from refinebio_assets.runs import Session, ingest_experiment
from tests.end_to_end.conftest import BUNDLED_STUDY
from tests.end_to_end.installation import installed

pytestmark = pytest.mark.end_to_end

STUDY, ORGANISM, SHORT = "SRP010938", "ARABIDOPSIS_THALIANA", IndexLength.SHORT
PLANTS = BUNDLED_STUDY / "files" / "ftp.ensemblgenomes.ebi.ac.uk" / "pub" / "release-57" / "plants"


def shorter_annotation(folder: Path) -> dict[str, Any]:
    """Run configuration: the bundled genome with half of its annotation, as an earlier release would have it."""
    (fasta,), (gtf,) = PLANTS.rglob("*.dna.toplevel.fa.gz"), PLANTS.rglob("*.gtf.gz")
    half = folder / "half.gtf"
    lines = gzip.decompress(gtf.read_bytes()).decode().splitlines(keepends=True)
    half.write_text("".join(line for line in lines if not line.startswith(("Chr1\t", "1\t"))))
    return {"ops": {"transcriptome_index": {"config": {"fasta": str(fasta), "gtf": str(half)}}}}


def genes(session: Session) -> int:
    info = session.catalog.current_transcriptome_index(ORGANISM, SHORT)
    assert info is not None
    return info.num_genes


def test_the_index_that_was_asked_for_becomes_the_current_one_also_if_it_was_built_before(tmp_path: Path) -> None:
    with installed(tmp_path / "home") as installation, installation.session() as session:
        own = shorter_annotation(tmp_path)
        assert session.build_index(ORGANISM, SHORT) is None
        of_ensembl = genes(session)
        assert session.build_index(ORGANISM, SHORT, run_config=own) is None
        assert 0 < genes(session) < of_ensembl
        assert session.build_index(ORGANISM, SHORT) is None
        assert genes(session) == of_ensembl
        assert [path for path in (installation.scratch / "indices").rglob("*") if path.is_file()] == []


def test_quant_files_of_an_earlier_index_are_not_summed_by_the_genes_of_another(tmp_path: Path) -> None:
    with installed(tmp_path / "home") as installation, installation.session() as session:
        assert ingest_experiment(session, STUDY, early=False, report=lambda _: None) == []
        before = installation.stored()
        for length in IndexLength:
            assert session.build_index(ORGANISM, length, run_config=shorter_annotation(tmp_path)) is None
        failed = session.materialize(["rna_seq_expression"], STUDY)
        assert failed is not None
        assert f"refinebio ingest {STUDY}" in failed.message
        assert before.items() <= {**installation.stored(), **_pointers(before)}.items()
        assert session.express(STUDY) is None
        assert session.catalog.ledger.counts(STUDY) == {"processed": 5}


def _pointers(stored: dict[str, str]) -> dict[str, str]:
    """The names that say which index is the current one: they move."""
    return {name: sha256 for name, sha256 in stored.items() if name.endswith("/current")}
