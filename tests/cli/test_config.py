"""``refinebio config``: complete, and no secret gets out."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refinebio_assets.cli.config import MASK, describe_settings, mask_secrets, unknown_variables
from refinebio_assets.cli.main import main
from resources.settings import Settings, get_settings


@pytest.fixture(autouse=True)
def settings_read_anew():
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def config_json(capsys) -> dict[str, dict]:
    assert main(["config", "--json"]) == 0
    return {line["name"]: line for line in json.loads(capsys.readouterr().out)["settings"]}


def test_every_setting_is_shown_with_a_description():
    shown = describe_settings(Settings())

    assert {line.name for line in shown} == {f"REFINEBIO_{name.upper()}" for name in Settings.model_fields}
    assert all(line.description for line in shown)


def test_where_a_value_comes_from_is_shown(capsys, monkeypatch):
    monkeypatch.setenv("REFINEBIO_PARALLEL_SAMPLES", "7")

    shown = config_json(capsys)

    assert (shown["REFINEBIO_PARALLEL_SAMPLES"]["value"], shown["REFINEBIO_PARALLEL_SAMPLES"]["source"]) == (
        7,
        "environment",
    )
    assert shown["REFINEBIO_API_PORT"]["source"] == "default"


def test_what_is_in_effect_is_shown_for_settings_that_follow_from_home(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("REFINEBIO_HOME", str(tmp_path))

    shown = config_json(capsys)

    assert shown["REFINEBIO_DATABASE_URL"]["value"] == f"sqlite:///{tmp_path}/catalog.sqlite"
    assert shown["REFINEBIO_OBJECT_STORE_URL"]["value"] == f"{tmp_path}/objects"


def test_no_secret_is_printed_in_either_form(capsys, monkeypatch):
    monkeypatch.setenv("REFINEBIO_NCBI_API_KEY", "hunter2")
    monkeypatch.setenv("REFINEBIO_DOWNLOAD_SECRET", "hunter2")
    monkeypatch.setenv("REFINEBIO_DATABASE_URL", "postgresql://ada:hunter2@db/refinebio?sslpassword=hunter2")

    assert main(["config"]) == 0
    assert main(["config", "--json"]) == 0

    shown = capsys.readouterr()
    assert "hunter2" not in shown.out + shown.err
    assert f"postgresql+psycopg2://ada:{MASK}@db/refinebio" in shown.out


@given(password=st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=4))
def test_whatever_the_password_it_is_masked(password):
    url = f"postgresql://ada:{password}@db/refinebio"

    assert mask_secrets(url) == f"postgresql://ada:{MASK}@db/refinebio"


@pytest.mark.parametrize("url", ["s3://bucket/prefix", "http://host:9000", "sqlite:////data/catalog.sqlite"])
def test_addresses_without_a_secret_stay_as_they_are(url):
    assert mask_secrets(url) == url


def test_a_misspelt_setting_is_reported(capsys, monkeypatch):
    monkeypatch.setenv("REFINEBIO_DATABSE_URL", "sqlite:///x")

    assert main(["config"]) == 0

    assert "REFINEBIO_DATABSE_URL is set, but there is no such setting" in capsys.readouterr().err
    assert "REFINEBIO_DATABSE_URL" in unknown_variables()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("REFINEBIO_API_PORT", "70000", "REFINEBIO_API_PORT: Input should be less than or equal to 65535"),
        ("REFINEBIO_DISCOVERY_ORGANISMS", "Danio rerio", "Lists are written as JSON"),
    ],
)
def test_a_value_that_does_not_fit_is_bad_input_and_names_the_variable(name, value, said, capsys, monkeypatch):
    monkeypatch.setenv(name, value)

    assert main(["config", "--json"]) == 2

    shown = capsys.readouterr()
    assert json.loads(shown.out)["error"]["code"] == "bad_configuration"
    assert said in shown.err


def test_a_first_day_of_discovery_that_is_no_day_is_refused_at_once(capsys, monkeypatch):
    monkeypatch.setenv("REFINEBIO_DISCOVERY_SINCE", "last week")
    assert main(["config", "--json"]) == 2
    assert "REFINEBIO_DISCOVERY_SINCE" in json.loads(capsys.readouterr().out)["error"]["message"]
