"""``refinebio index build``: what it refuses before it starts."""

import json

import pytest

from refinebio_assets.cli.main import main


@pytest.mark.parametrize("organism", ["!!!", "", " _ "])
def test_what_cannot_be_an_organism_is_bad_input(organism, capsys):
    assert main(["index", "build", "--organism", organism, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "bad_input"
