"""Recorded HTTP answers are described one by one."""

from __future__ import annotations

import base64
import gzip
import json

from refinebio_assets.inspection.inspection import inspect_file
from tests.inspection.fixtures import content

ROWS = content("archives/ena_read_run_DRR002116.json.gz")


def test_answers_of_a_yaml_cassette_are_what_they_hold(tmp_path):
    cassette = tmp_path / "cassette.yaml"
    packed = base64.b64encode(gzip.compress(ROWS)).decode()
    cassette.write_text(
        "interactions:\n"
        "- request: {method: GET, uri: 'https://www.ebi.ac.uk/ena'}\n"
        f"  response: {{status: {{code: 200, message: OK}}, body: {{string: !!binary {packed}}}}}\n"
        "- request: {method: GET, uri: 'https://www.ebi.ac.uk/none'}\n"
        "  response: {status: {code: 404, message: no}, body: {string: ''}}\n"
        "- request: {method: GET, uri: 'https://www.ebi.ac.uk/page'}\n"
        "  response: {status: {code: 200, message: OK}, body: {string: '<html>busy</html>'}}\n"
        "version: 1\n"
    )
    told = inspect_file(cassette).to_dict()
    assert told["kind"] == "http_recording"
    kinds = [(each["status"], each["kind"], bool(each["error"])) for each in told["header"]["interactions"]]
    assert kinds == [("200", "ena_read_run", False), ("404", None, True), ("200", "web_page", True)]
    assert [sample["accession"] for sample in told["samples"]] == ["DRR002116"]


def test_answers_of_a_json_cassette_are_what_they_hold(tmp_path):
    cassette = tmp_path / "cassette.json"
    interaction = {
        "request": {"method": "get", "uri": "https://www.ebi.ac.uk/ena"},
        "response": {"status": {"code": 200}, "body": {"base64_string": base64.b64encode(ROWS).decode()}},
    }
    cassette.write_text(json.dumps({"http_interactions": [interaction]}))
    told = inspect_file(cassette).to_dict()
    assert (told["kind"], told["header"]["interactions"][0]["kind"]) == ("http_recording", "ena_read_run")


def test_a_recording_within_a_recording_is_not_followed(tmp_path):
    inner = json.dumps({"interactions": []})
    for _ in range(3):
        inner = json.dumps({"interactions": [{"request": {}, "response": {"body": {"string": inner}}}]})
    path = tmp_path / "nested.json"
    path.write_text(inner)
    told = inspect_file(path).to_dict()
    assert told["header"]["interactions"][0]["kind"] == "http_recording"


def test_a_broken_cassette_is_an_error_with_its_line(tmp_path):
    path = tmp_path / "cassette.yaml"
    path.write_text("interactions:\n- request: {method: GET\n  response: [\n")
    error = inspect_file(path).to_dict()["error"]
    assert (error["code"], error["line"]) == ("malformed_file", 3)
