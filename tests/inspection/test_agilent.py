"""Raw files of scanned arrays are told by their content and described by the readers that processing uses."""

import gzip
import json

import pytest

from refinebio_assets.inspection.inspection import inspect_files
from tests.microarray.agilent_files import DATA, EXTRACTIONS, GENEPIX, extraction_text, spots


def answer(path):
    (report,) = inspect_files([path])
    return json.loads(json.dumps(report.to_dict()))


@pytest.mark.parametrize(
    ("path", "kind", "found"),
    [
        (EXTRACTIONS[0], "agilent_feature_extraction", 1080),
        (GENEPIX[0], "genepix_results", 1080),
        (DATA / "GSM361301_head.txt.gz", "agilent_feature_extraction", 36),
    ],
)
def test_a_file_is_told_by_its_content(path, kind, found, tmp_path):
    elsewhere = tmp_path / "nameless"
    elsewhere.write_bytes(path.read_bytes())

    told = answer(elsewhere)

    assert told["kind"] == kind
    assert told["header"]["spots"] == found
    assert told["header"]["colours"] == "two"
    assert told["header"]["evidence"]
    assert told["columns"]
    assert set(told["header"]["channels"]) == {"green", "red"}


def test_what_processing_would_refuse_is_told():
    assert answer(DATA / "GSM361301_head.txt.gz")["warnings"] == [
        "The file has 36 features, its statistics speak of 43931."
    ]


def test_files_with_nothing_but_agilents_own_result_are_described(tmp_path):
    rows = [
        {key: value for key, value in row.items() if "Signal" not in key} | {"gProcessedSignal": 5.5 + place}
        for place, row in enumerate(spots(20))
    ]
    path = tmp_path / "processed.txt"
    path.write_bytes(extraction_text(rows))

    told = answer(path)

    assert told["header"]["channels"]["green"]["columns"] == ["gProcessedSignal"]
    assert told["header"]["colours"] == "one"


def test_a_damaged_file_is_told_with_its_line(tmp_path):
    lines = gzip.decompress(EXTRACTIONS[0].read_bytes()).split(b"\n")
    lines[50] = lines[50].replace(b"DATA", b"DTAA")
    path = tmp_path / "damaged.txt"
    path.write_bytes(b"\n".join(lines))

    told = answer(path)

    assert told["kind"] == "agilent_feature_extraction"
    assert (told["error"]["code"], told["error"]["line"]) == ("malformed_file", 51)


def test_an_array_list_has_no_intensities(tmp_path):
    path = tmp_path / "made.gal"
    path.write_text('ATF\t1.0\n1\t5\n"Type=GenePix ArrayList V1.0"\nBlock\tRow\tColumn\tID\tName\n1\t1\t1\ta\tb\n')

    assert answer(path)["kind"] != "genepix_results"
