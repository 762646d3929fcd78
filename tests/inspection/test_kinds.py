"""Every kind of file is told by its content, and shown as a survey would store it."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import shutil

import pyarrow as pa
import pytest

from refinebio_assets.inspection.describers import SraArchiveFacts
from refinebio_assets.inspection.inspection import inspect_file, inspect_files
from refinebio_assets.survey.registry import PlatformRegistry
from refinebio_assets.survey.sources import survey_payload
from tests.inspection.fixtures import DATA, GEO, INSPECTION, KINDS, MAGE_TAB, content


def answer(path, **options):
    (report,) = inspect_files([path], **options)
    return json.loads(json.dumps(report.to_dict()))  # also that it is JSON


@pytest.mark.parametrize("name", KINDS)
def test_a_file_is_told_by_its_content(name, tmp_path):
    kind, experiments, samples = KINDS[name]
    told = answer(DATA / name)
    assert "error" not in told
    assert (told["kind"], len(told["experiments"]), len(told["samples"])) == (kind, experiments, samples)
    assert told["evidence"]
    assert 0.5 <= told["confidence"] <= 1
    elsewhere = tmp_path / "nameless"
    shutil.copy(DATA / name, elsewhere)
    assert answer(elsewhere)["kind"] == kind


@pytest.mark.parametrize("name", KINDS)
def test_every_sample_has_what_the_contract_names(name):
    for sample in answer(DATA / name)["samples"]:
        assert {"accession", "title", "platform", "organism", "harmonized", "annotations", "state"} <= sample.keys()
        assert sample["harmonized"].keys() == sample["provenance"].keys()
        assert all(isinstance(value, str) and value for value in sample["harmonized"].values())
        assert sample["title"]


def test_what_is_shown_of_a_payload_is_what_a_survey_stores():
    payload = json.loads((DATA / "metadata/sra_DRP000595.json").read_text())
    (stored,) = survey_payload(payload, PlatformRegistry.load()).samples
    (shown,) = answer(DATA / "metadata/sra_DRP000595.json")["samples"]
    record = stored.record
    assert (shown["accession"], shown["title"], shown["platform"], shown["organism"]) == (
        record.accession, record.title, record.platform_accession, record.organism,
    )  # fmt: skip
    assert (shown["state"], shown["reason"]) == (stored.decision.state.value, stored.decision.reason)
    assert shown["harmonized"] == {value.field: value.value for value in record.harmonized}
    assert [file["url"] for file in shown["files"]] == [file.url for file in record.files]


PACKERS = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "zstd": pa.Codec("zstd").compress}


@pytest.mark.parametrize(
    "name", ["geo/GSE611_family.soft.gz", "inspection/ena_SRP178136.xml", "archives/ensembl_species.json.gz"]
)
@pytest.mark.parametrize(
    "layers", [("gzip",), ("bzip2",), ("xz",), ("zstd",), ("gzip", "gzip"), ("xz", "zstd", "bzip2")]
)
def test_compression_does_not_matter(name, layers, tmp_path):
    data = content(name)
    plain = tmp_path / "plain"
    plain.write_bytes(data)
    for layer in reversed(layers):
        packed = PACKERS[layer](data)
        data = packed.to_pybytes() if isinstance(packed, pa.Buffer) else packed
    path = tmp_path / "packed"
    path.write_bytes(data)
    told, expected = answer(path), answer(plain)
    assert told["compression"][:1] == [layers[0]]
    for part in ("kind", "experiments", "samples", "columns"):
        assert told[part] == expected[part]


def test_a_curated_dataset_shows_its_groups_and_sends_to_the_series():
    told = answer(GEO / "GDS994.soft.gz")
    assert told["experiments"][0]["series"] == ["GSE1611"]
    assert all(sample["annotations"]["subsets"] for sample in told["samples"])
    assert any("survey the series" in warning for warning in told["warnings"])


def test_parts_of_a_series_have_no_state():
    for name in ("GSM11805.txt.gz", "GSE180363.miniml.xml.gz"):
        told = answer(GEO / name)
        assert {sample["state"] for sample in told["samples"]} == {None}
        assert told["experiments"][0]["states"] == {}
        assert any("refinebio survey" in warning for warning in told["warnings"])


def test_idf_and_sdrf_are_joined_when_they_lie_beside_each_other_or_are_given_together(tmp_path):
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
    idf = shutil.copy(MAGE_TAB / "E-MTAB-584.idf.txt", tmp_path / "a")
    sdrf = shutil.copy(MAGE_TAB / "E-MTAB-584.sdrf.txt", tmp_path / "b")
    alone = answer(tmp_path / "b" / "E-MTAB-584.sdrf.txt")
    assert {sample["state"] for sample in alone["samples"]} == {None}
    paths = [tmp_path / "a" / "E-MTAB-584.idf.txt", tmp_path / "b" / "E-MTAB-584.sdrf.txt"]
    assert [str(path) for path in paths] == [str(idf), str(sdrf)]
    together = [report.to_dict() for report in inspect_files(paths)]
    beside = answer(MAGE_TAB / "E-MTAB-584.idf.txt")
    for each in together:
        assert each["samples"] == beside["samples"]
        assert each["experiments"] == beside["experiments"]
        assert all(sample["state"] for sample in each["samples"])


def test_an_sdrf_that_nothing_names_shows_its_assays(tmp_path):
    path = tmp_path / "samples.tsv"
    shutil.copy(MAGE_TAB / "E-MTAB-584.sdrf.txt", path)
    told = answer(path)
    assert told["experiments"] == []
    assert len(told["samples"]) == 2
    assert not any("E-NONE" in json.dumps(sample) for sample in told["samples"])


def test_a_biostudies_study_takes_its_samples_from_the_idf_and_sdrf_beside_it(tmp_path):
    study = json.loads((MAGE_TAB / "E-MTAB-9697.biostudies.json").read_text())
    (tmp_path / "study.json").write_text(json.dumps(study | {"accno": "E-MTAB-584"}))
    for name in ("E-MTAB-584.idf.txt", "E-MTAB-584.sdrf.txt"):
        shutil.copy(MAGE_TAB / name, tmp_path)
    told = answer(tmp_path / "study.json")
    assert (told["kind"], len(told["samples"])) == ("biostudies_study", 2)


def test_sets_of_ena_that_are_given_together_complete_each_other():
    paths = [INSPECTION / f"ena_{name}.xml" for name in ("SRR1533126", "SRX666716", "SRS671406", "SRP045126")]
    (run, *_others) = [report.to_dict() for report in inspect_files(paths)]
    (sample,) = run["samples"]
    assert (sample["platform"], sample["harmonized"]["sex"]) == ("IlluminaHiSeq2000", "female")
    assert run["experiments"][0]["title"] == "Homo sapiens Transcriptome or Gene expression"


def test_the_sra_toolkit_is_asked_where_there_is_one():
    path = DATA / "rnaseq/sra/ERR3487613.sra"
    facts = SraArchiveFacts(spots=10, reads_per_spot=2, bases=5000)
    told = answer(path, ask_toolkit=lambda _: facts)
    assert (told["header"]["spots"], told["header"]["bases"]) == (10, 5000)
    assert "spots" not in answer(path)["header"]


def test_a_quant_file_tells_its_sample_and_sums(tmp_path):
    folder = tmp_path / "SRR1"
    folder.mkdir()
    path = folder / "quant.sf"
    path.write_text("Name\tLength\tEffectiveLength\tTPM\tNumReads\nT1\t10\t5\t0\t0\nT2\t10\t5\t1000000\t7.5\n")
    told = answer(path)
    assert told["header"] == {"sample": "SRR1", "transcripts": 2, "reads": 7.5, "expressed_transcripts": 1}


SHAPES = {
    "biostudies_info": {"columns": [], "files": 3, "ftpLink": "ftp://x/y", "isPublic": True, "relPath": "E-MTAB-/1"},
    "biostudies_search": {"page": 1, "totalHits": 1, "hits": [{"accession": "E-MTAB-1", "title": "t"}]},
    "biostudies_file_list": [{"path": "a.CEL", "size": 3, "attributes": [], "type": "file"}],
    "eutils_esummary_sra": {
        "header": {}, "result": {"uids": ["1"], "1": {
            "uid": "1", "expxml": '<Summary><Title>T</Title></Summary><Study acc="SRP000001" name="S"/>',
            "runs": '<Run acc="SRR000001" total_spots="1"/>',
        }},
    },
    "eutils_esummary_taxonomy": {"result": {"uids": ["7"], "7": {"taxid": 7955, "scientificname": "Danio rerio"}}},
    "ontology_lookup": {"ontologyId": "uo", "status": "LOADED"},
    "sample_keywords": {"SRR1": ["UBERON:0000001"]},
    "sample_attributes": [{"sample_accession": "SRR1", "attributes": [{"PATO:0000047": {"value": "PATO:0000383"}}]}],
    "ensembl_release": {"version": "57"},
    "unknown": {"left": "right"},
}  # fmt: skip


@pytest.mark.parametrize("kind", SHAPES)
def test_documents_are_told_by_their_shape(kind, tmp_path):
    path = tmp_path / "document"
    path.write_text(json.dumps(SHAPES[kind]))
    told = answer(path)
    assert (told["kind"], told.get("error")) == (kind, None)


def test_what_no_describer_knows_is_unknown_and_says_what_it_looks_like(tmp_path):
    for name, data, evidence in [
        ("a.CHP", b"[CHP]\nVersion=3\n", "[CHP]"),
        ("b.bpm", b"BPM\3\0\0\0", "42 50 4d"),
        ("c.zip", b"PK\x03\x04rest", "a zip archive"),
        ("d", b"just words\nof text", "just words"),
    ]:
        path = tmp_path / name
        path.write_bytes(data)
        told = answer(path)
        assert (told["kind"], told["confidence"], told.get("error")) == ("unknown", 0, None)
        assert any(evidence in line for line in told["evidence"])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><head><title>Oops</title>", "web page (Oops)"),
        (b"<ErrorDetails><status>404</status><message>gone</message></ErrorDetails>", "404; gone"),
        (b'{"a": 1,\n"b": }', "no JSON"),
        (gzip.compress(b"^SAMPLE = GSM1\n" * 9, mtime=0)[:-9], "cannot be read to its end"),
        (b"\x1f\x8b\x08\x00garbage", "cannot be read to its end"),
        (b"BZh9" + b"garbage" * 9, "cannot be read to its end"),
        (b"Name\tLength\tEffectiveLength\tTPM\tNumReads\nT1\t10\t5\tx\t0\n", "x"),
        (b"<RUN_SET><RUN>", "no well-formed XML"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error_with_code_and_line(data, message, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(data)
    error = answer(path)["error"]
    assert error["code"] == "malformed_file"
    assert message in error["message"]
    assert {"code", "message", "line", "remedy"} == error.keys()


def test_missing_files_and_folders_are_bad_input(tmp_path):
    for path in (tmp_path / "missing", tmp_path):
        assert inspect_file(path).to_dict()["error"]["code"] == "bad_input"
