"""What the catalog knows of parts, targets and compendia."""

from __future__ import annotations

import numpy as np

from refinebio_assets.domain.vocabulary import CompendiumKind, ComputedFileKind, SampleState, Technology
from resources.catalog import Catalog, CompendiumToRecord, FileToRecord, QnTargetToRecord, ResultToRecord
from resources.object_store import ObjectStore
from tests.expression_records import record_expression
from tests.resources.catalog.statement_count import statements
from tests.resources.catalog.studies import array, change, quant_file, quantification, sample, series, study


def target(fingerprint: str, *, organism: str = "HOMO_SAPIENS", samples: int = 3) -> QnTargetToRecord:
    return QnTargetToRecord(
        organism=organism,
        technology=Technology.MICROARRAY,
        platform="hgu95av2",
        num_samples=samples,
        num_genes=2,
        details={"reused": 1},
        result=result(fingerprint, ComputedFileKind.QN_TARGET, ComputedFileKind.QN_TARGET_STATE, organism=organism),
    )


def compendium(fingerprint: str, *, kind: CompendiumKind = CompendiumKind.COMPENDIUM) -> CompendiumToRecord:
    return CompendiumToRecord(
        organism="HOMO_SAPIENS",
        kind=kind,
        version=fingerprint[:12],
        svd_algorithm="arpack",
        num_samples=3,
        num_genes=2,
        details={"share_imputed": 0.25},
        result=result(fingerprint, ComputedFileKind.COMPENDIUM_ANNDATA, ComputedFileKind.COMPENDIUM_REPORT),
    )


def result(fingerprint: str, *kinds: ComputedFileKind, organism: str = "HOMO_SAPIENS") -> ResultToRecord:
    files = tuple(
        FileToRecord(
            key=f"{organism}/{fingerprint}/{kind}",
            filename=kind.value,
            kind=kind,
            size_bytes=1,
            sha256="b" * 64,
            organism=organism,
        )
        for kind in kinds
    )
    return ResultToRecord(processor="Compendium", processor_version="1", fingerprint=fingerprint, files=files)


def expression(catalog: Catalog, store: ObjectStore, experiment: str, *samples: str, fill: float = 1.0) -> None:
    values = np.full((len(samples), 2), fill)
    record_expression(catalog, store, values, experiment=experiment, samples=samples, genes=["G1", "G2"])


def test_parts_of_an_organism_are_listed_with_what_they_hold(catalog: Catalog, folder_store: ObjectStore) -> None:
    expression(catalog, folder_store, "GSE2", "GSM3")
    expression(catalog, folder_store, "GSE1", "GSM1", "GSM2")
    first, second = catalog.compendia.expression_parts(["HOMO_SAPIENS"])
    assert (first.experiment, first.samples, first.platforms) == ("GSE1", ("GSM1", "GSM2"), ("hgu95av2", "hgu95av2"))
    assert (first.technology, first.scale, first.num_genes) == (Technology.MICROARRAY, "log2", 2)
    assert (second.experiment, second.gene_space) == ("GSE2", first.gene_space)
    assert folder_store.size(first.key) == first.size_bytes
    assert [one.experiment for one in catalog.compendia.expression_parts(["HOMO_SAPIENS"], experiments=["GSE2"])] == [
        "GSE2"
    ]
    assert catalog.compendia.expression_parts(["MUS_MUSCULUS"]) == []


def test_new_expression_takes_the_place_of_the_old(catalog: Catalog, folder_store: ObjectStore) -> None:
    expression(catalog, folder_store, "GSE1", "GSM1", "GSM2")
    (before,) = catalog.compendia.expression_parts(["HOMO_SAPIENS"])
    expression(catalog, folder_store, "GSE1", "GSM1", "GSM2", "GSM3")
    (after,) = catalog.compendia.expression_parts(["HOMO_SAPIENS"])
    assert (len(before.samples), len(after.samples)) == (2, 3)


def test_processed_samples_are_listed_with_their_experiments_the_owner_first(catalog: Catalog) -> None:
    catalog.record_survey(series("GSE2", [array("GSM1"), array("GSM2")]), metadata_sha256="a" * 64)
    catalog.record_survey(series("GSE1", [array("GSM1", has_raw=False)]), metadata_sha256="a" * 64)
    catalog.record_survey(study(samples=[sample("SRR0000001"), sample("SRR0000002")]), metadata_sha256="a" * 64)
    catalog.ledger.set_states(
        [
            change("GSM1", SampleState.PROCESSED, "GSE2"),
            change("SRR0000001", SampleState.PROCESSED),
            change("SRR0000002", SampleState.QUANTIFIED),
        ]
    )
    catalog.record_result(quantification(quant_file("SRR0000001"), quant_file("SRR0000002")))
    found = catalog.compendia.samples(["DANIO_RERIO"])
    assert [(one.accession, one.experiments, one.technology) for one in found] == [
        ("GSM1", ("GSE2", "GSE1"), Technology.MICROARRAY),
        ("SRR0000001", ("SRP000001",), Technology.RNA_SEQ),
    ]
    assert (found[0].platform, found[0].manufacturer, found[1].biosample) == ("GPL1319", "AFFYMETRIX", "SAMN0000001")
    (counts,) = catalog.compendia.organisms()
    assert (counts.organism, counts.microarray, counts.rna_seq, counts.quant_files) == ("DANIO_RERIO", 1, 1, 2)


def test_a_sample_that_is_ruled_out_is_no_longer_listed(catalog: Catalog, folder_store: ObjectStore) -> None:
    expression(catalog, folder_store, "GSE1", "GSM1", "GSM2")
    catalog.ledger.set_states([change("GSM1", SampleState.WITHDRAWN_UPSTREAM, "GSE1")])
    assert [one.accession for one in catalog.compendia.samples(["HOMO_SAPIENS"])] == ["GSM2"]


def test_the_newest_target_of_an_organism_is_the_current_one(catalog: Catalog, folder_store: ObjectStore) -> None:
    expression(catalog, folder_store, "GSE1", "GSM1")
    assert catalog.compendia.current_qn_target("HOMO_SAPIENS") is None
    first = catalog.compendia.record_qn_target(target("f1"))
    catalog.compendia.record_qn_target(target("m1", organism="MUS_MUSCULUS"))
    assert catalog.compendia.record_qn_target(target("f2", samples=5)) != first
    found = catalog.compendia.current_qn_target("HOMO_SAPIENS")
    assert found is not None
    assert (found.fingerprint, found.num_samples, found.platform, found.details) == ("f2", 5, "hgu95av2", {"reused": 1})
    assert [file.kind for file in found.files] == [ComputedFileKind.QN_TARGET, ComputedFileKind.QN_TARGET_STATE]
    assert catalog.compendia.record_qn_target(target("f1")) == first
    again = catalog.compendia.current_qn_target("HOMO_SAPIENS")
    assert again is not None
    assert again.fingerprint == "f1"


def test_the_same_compendium_twice_is_one_and_the_newest_comes_first(catalog: Catalog) -> None:
    catalog.record_survey(series("GSE2", [array("GSM1", organism="HOMO_SAPIENS")]), metadata_sha256="a" * 64)
    first = catalog.compendia.record_compendium(compendium("f1"))
    assert catalog.compendia.record_compendium(compendium("f1")) == first
    catalog.compendia.record_compendium(compendium("f2"))
    catalog.compendia.record_compendium(compendium("q1", kind=CompendiumKind.QUANTPENDIUM))
    found = catalog.compendia.compendia("HOMO_SAPIENS", CompendiumKind.COMPENDIUM)
    assert sorted(one.version for one in found) == ["f1", "f2"]
    assert [file.kind for file in found[0].files] == [
        ComputedFileKind.COMPENDIUM_ANNDATA,
        ComputedFileKind.COMPENDIUM_REPORT,
    ]


def test_statements_do_not_grow_with_samples(catalog: Catalog, folder_store: ObjectStore) -> None:
    expression(catalog, folder_store, "GSE1", "GSM1")

    def asked() -> int:
        with statements(catalog) as counted:
            catalog.compendia.samples(["HOMO_SAPIENS"])
            catalog.compendia.organisms()
            catalog.compendia.expression_parts(["HOMO_SAPIENS"])
        return len(counted)

    few = asked()
    expression(catalog, folder_store, "GSE2", *(f"GSM1{number:03d}" for number in range(200)))
    assert asked() == few
