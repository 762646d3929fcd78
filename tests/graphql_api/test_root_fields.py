"""Every root field answers what the catalog has."""

from __future__ import annotations

from tests.graphql_api.conftest import Api


def test_an_experiment_shows_all_that_is_known_of_it(api: Api) -> None:
    found = api.ask("""{ experiments(accessions: ["gse1"]) { unresolved { query } nodes {
        accession aliases source title description technology institution pubmedId publicationAuthors
            firstPublished sourceUrl
        state reason message numSamples numProcessedSamples sampleStates { state count } organisms { name
            taxonomyId } platforms { accession }
        annotations coverage { numSamples fields { field numSamples share } unmatchedKeys { key numSamples } }
        ledger { kind attempts toolVersions } history { state } computedFiles { filename kind
            experiment { accession } }
        samples(first: 2, filter: {states: [PROCESSED]}) { totalCount nodes { accession } } } } }""")["experiments"]
    assert found["unresolved"] == []
    (experiment,) = found["nodes"]
    assert experiment["accession"] == "SRP000001"
    assert experiment["aliases"] == ["GSE1"]
    assert experiment["technology"] == "RNA_SEQ"
    assert experiment["publicationAuthors"] == ["A. Author", "B. Author"]
    assert experiment["firstPublished"] == "2020-01-02"
    assert experiment["state"] == "PROCESSED"
    assert (experiment["numSamples"], experiment["numProcessedSamples"]) == (5, 3)
    assert experiment["sampleStates"] == [
        {"state": "CONTROLLED_ACCESS", "count": 1},
        {"state": "FAILED_QC", "count": 1},
        {"state": "PROCESSED", "count": 3},
    ]
    assert experiment["organisms"] == [{"name": "DANIO_RERIO", "taxonomyId": 7955}]
    assert experiment["platforms"] == [{"accession": "IlluminaHiSeq2000"}]
    assert experiment["annotations"] == {"study_type": "Transcriptome"}
    assert experiment["coverage"] == {
        "numSamples": 5,
        "fields": [{"field": "specimen_part", "numSamples": 5, "share": 1.0}],
        "unmatchedKeys": [{"key": "tank", "numSamples": 2}],
    }
    assert experiment["ledger"] == {"kind": "EXPERIMENT", "attempts": 0, "toolVersions": {"salmon": "1.10.3"}}
    assert experiment["history"] == [{"state": "PROCESSED"}]
    assert experiment["computedFiles"] == [
        {"filename": "SRP000001.h5ad", "kind": "EXPRESSION_ANNDATA", "experiment": {"accession": "SRP000001"}}
    ]
    assert experiment["samples"] == {
        "totalCount": 3,
        "nodes": [{"accession": "SRR00100001"}, {"accession": "SRR00100002"}],
    }


def test_a_sample_shows_all_that_is_known_of_it(api: Api) -> None:
    (sample,) = api.ask("""{ samples(accessions: ["SAMN00000001"]) { nodes {
        accession aliases title technology libraryStrategy libraryLayout runAccession hasRaw state reason message
            annotations
        organism { scientificName } platform { name } harmonized { field value unit ontologyTermId rawKey rawValue
            rule }
        experiments { accession } originalFiles { filename sizeBytes samples { accession } } history { state reason
            } ledger { state }
        computedFiles { filename kind sizeBytes sha256 downloadUrl createdAt sample { accession }
          result { commands parameters inputs metrics processor { name version environment } } } } } }""")[
        "samples"
    ]["nodes"]
    assert sample["accession"] == "SRR00100001"
    assert sample["aliases"] == ["SAMN00000001"]
    assert sample["organism"] == {"scientificName": "Danio rerio"}
    assert sample["platform"] == {"name": "Illumina HiSeq 2000"}
    assert sample["harmonized"] == [
        {
            "field": "specimen_part",
            "value": "fin",
            "unit": None,
            "ontologyTermId": None,
            "rawKey": "tissue",
            "rawValue": "Fin",
            "rule": "tissue",
        }
    ]
    assert sample["annotations"] == {"characteristics": {"tissue": "fin"}}
    assert sample["experiments"] == [{"accession": "SRP000001"}]
    assert sample["originalFiles"] == [
        {"filename": "SRR00100001.fastq.gz", "sizeBytes": 2**33, "samples": [{"accession": "SRR00100001"}]}
    ]
    assert [change["state"] for change in sample["history"]] == ["SURVEYED", "PROCESSED"]
    (file,) = sample["computedFiles"]
    assert (file["kind"], file["createdAt"]) == ("QUANT_SF", "2026-11-01T12:00:00+00:00")
    assert file["downloadUrl"].startswith("http://testserver/files/")
    assert file["result"]["metrics"] == {"percent_mapped": 87.5}
    assert file["result"]["processor"] == {
        "name": "salmon quant",
        "version": "1.10.3",
        "environment": {"salmon": "1.10.3"},
    }


def test_every_object_can_be_fetched_again_by_its_global_id(api: Api) -> None:
    found = api.ask("""{ experiments(first: 1) { nodes { id computedFiles { id result { id processor { id } } } } }
        samples(first: 1) { nodes { id organism { id } platform { id } originalFiles { id } ledger { id } } }
        transcriptomeIndices { id } }""")
    experiment, sample = found["experiments"]["nodes"][0], found["samples"]["nodes"][0]
    file = experiment["computedFiles"][0]
    ids = [
        *(thing["id"] for thing in (experiment, file, file["result"], file["result"]["processor"], sample)),
        *(
            thing["id"]
            for thing in (sample["organism"], sample["platform"], sample["originalFiles"][0], sample["ledger"])
        ),
        found["transcriptomeIndices"][0]["id"],
    ]
    nodes = api.ask("query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }", ids=ids)["nodes"]
    assert [node["id"] for node in nodes] == ids
    assert [node["__typename"] for node in nodes] == [
        "Experiment",
        "ComputedFile",
        "ComputationalResult",
        "Processor",
        "Sample",
        "Organism",
        "Platform",
        "OriginalFile",
        "LedgerEntry",
        "TranscriptomeIndex",
    ]
    one = api.ask("query ($id: ID!) { node(id: $id) { ... on Sample { accession } } }", id=sample["id"])
    assert one["node"] == {"accession": "SRR00100001"}


def test_organisms_are_found_by_name_and_taxonomy_id(api: Api) -> None:
    query = """query ($names: [String!]) { organisms(filter: {names: $names}) {
        name scientificName numExperiments numSamples numProcessedSamples transcriptomeIndices { length } } }"""
    assert [organism["name"] for organism in api.ask("{ organisms { name } }")["organisms"]] == [
        "ARABIDOPSIS_THALIANA",
        "DANIO_RERIO",
    ]
    for name in ("Danio rerio", "DANIO_RERIO", "7955"):
        assert api.ask(query, names=[name])["organisms"] == [
            {
                "name": "DANIO_RERIO",
                "scientificName": "Danio rerio",
                "numExperiments": 2,
                "numSamples": 10,
                "numProcessedSamples": 6,
                "transcriptomeIndices": [{"length": "LONG"}, {"length": "SHORT"}],
            }
        ]
    assert api.ask(query, names=["", "?", "99999999999999999999", "Homo sapiens"])["organisms"] == []


def test_platforms_are_found_by_name_and_technology(api: Api) -> None:
    query = "query ($filter: PlatformFilter) { platforms(filter: $filter) { accession numSamples } }"
    assert [one["accession"] for one in api.ask(query)["platforms"]] == ["IlluminaHiSeq2000", "zebrafish"]
    arrays = api.ask(query, filter={"technologies": ["MICROARRAY"]})["platforms"]
    assert arrays == [{"accession": "zebrafish", "numSamples": 0}]
    named = api.ask(query, filter={"names": ["Illumina HiSeq 2000"]})["platforms"]
    assert named == [{"accession": "IlluminaHiSeq2000", "numSamples": 20}]


def test_transcriptome_indices_show_where_they_come_from(api: Api) -> None:
    query = """query ($filter: TranscriptomeIndexFilter) { transcriptomeIndices(filter: $filter) {
        length kmer release assembly isCurrent organism { name } result { commands transcriptomeIndices { kmer } }
            computedFiles { filename } } }"""
    (long,) = api.ask(query, filter={"organisms": ["7955"], "length": "LONG", "isCurrent": True})[
        "transcriptomeIndices"
    ]
    assert (long["kmer"], long["release"], long["organism"]["name"]) == (31, "113", "DANIO_RERIO")
    assert long["result"]["commands"] == ["salmon index -k 31"]
    assert api.ask(query, filter={"organisms": ["3702"]})["transcriptomeIndices"] == []


def test_the_ledger_says_why_by_accession_and_by_state(api: Api) -> None:
    query = """query ($accessions: [String!], $filter: LedgerFilter) { ledger(accessions: $accessions, filter:
        $filter) {
        totalCount unresolved { query outcome message }
        nodes { accession state reason message history { state } experiment { accession } sample { title } } } }"""
    of_study = api.ask(query, accessions=["GSE2"])["ledger"]
    assert [entry["accession"] for entry in of_study["nodes"]] == [
        "SRP000002",
        *(f"SRR0020000{n}" for n in range(1, 6)),
    ]
    assert of_study["nodes"][1]["experiment"] == {"accession": "SRP000002"}
    assert of_study["nodes"][1]["sample"] == {"title": "Fin 1"}
    assert of_study["nodes"][0]["sample"] is None
    controlled = api.ask(query, filter={"states": ["CONTROLLED_ACCESS"], "experiments": ["srp000001"]})["ledger"]
    assert [entry["accession"] for entry in controlled["nodes"]] == ["SRR00100004"]
    assert controlled["totalCount"] == 1
    mixed = api.ask(query, accessions=["SRR00100001", "SRP999999", "SRP123456"])["ledger"]
    assert [entry["accession"] for entry in mixed["nodes"]] == ["SRR00100001", "SRP999999"]
    assert mixed["nodes"][1]["experiment"] is None
    (missing,) = mixed["unresolved"]
    assert (missing["query"], missing["outcome"]) == ("SRP123456", "NOT_FOUND")


def test_computed_files_and_results_can_be_listed_and_filtered(api: Api) -> None:
    found = api.ask("""{ computedFiles(filter: {kinds: [EXPRESSION_ANNDATA]}) { totalCount nodes { filename } }
        computationalResults(filter: {runIds: ["run-1"]}, first: 1) { totalCount nodes { computedFiles { filename }
            } }
        processors { name version environmentSha256 } }""")
    assert found["computedFiles"]["totalCount"] == 4
    assert found["computationalResults"]["totalCount"] == 16
    assert found["computationalResults"]["nodes"] == [{"computedFiles": [{"filename": "SRP000001.h5ad"}]}]
    assert [processor["name"] for processor in found["processors"]] == ["salmon quant"]


def test_organism_wide_artefacts_are_empty_until_there_are_some(api: Api) -> None:
    assert api.ask("""{ qnTargets(filter: {organisms: ["7955"]}) { organism { name } computedFile { filename } }
        compendia(filter: {kinds: ["quantpendium"]}) { organism { name } computedFile { filename } } }""") == {
        "qnTargets": [],
        "compendia": [],
    }


def test_stats_count_the_whole_catalog(api: Api) -> None:
    stats = api.ask("""{ stats { generatedAt numExperiments numProcessedExperiments numSamples numProcessedSamples
        numSupportedOrganisms
        sampleStates { state count } experimentStates { state count } organisms { organism numSamples
            numProcessedSamples }
        technologies { technology numSamples } numComputedFiles totalSizeBytes } }""")["stats"]
    assert (stats["numExperiments"], stats["numProcessedExperiments"]) == (4, 4)
    assert (stats["numSamples"], stats["numProcessedSamples"], stats["numSupportedOrganisms"]) == (20, 12, 2)
    assert sum(one["count"] for one in stats["sampleStates"]) == 20
    assert {"state": "DISCOVERED", "count": 1} in stats["experimentStates"]
    assert stats["organisms"][0] == {"organism": "ARABIDOPSIS_THALIANA", "numSamples": 10, "numProcessedSamples": 6}
    assert stats["technologies"] == [{"technology": "RNA_SEQ", "numSamples": 20}]
    assert stats["numComputedFiles"] == 16
    assert stats["totalSizeBytes"] > 0
