"""The server profile: the same commands with the catalog in PostgreSQL and the objects in S3."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from graphql_api.app import create_app
from resources.catalog import Catalog
from resources.object_store import ObjectStore
from resources.settings import Settings
from tests.end_to_end.installation import Installation
from tests.object_stores import BUCKET

STUDY = "SRP010938"
EXPRESSION = """
{ experiments(accessions: ["SRP010938"]) { nodes {
    accession state
    samples(first: 10) { nodes { accession state computedFiles { kind sha256 downloadUrl } } } } } }
"""

pytestmark = [pytest.mark.end_to_end, pytest.mark.postgres]


@pytest.fixture
def store_url() -> str:
    """An empty place in S3 for this test alone."""
    return f"s3://{BUCKET}/{uuid.uuid4().hex}"


def test_a_study_reaches_expression_in_s3_and_postgres_as_it_does_on_a_laptop(
    install: Callable[..., Installation], postgres_url: str, s3_address: str, store_url: str
) -> None:
    store = ObjectStore.from_url(store_url, endpoint_url=s3_address)
    laptop = install()
    laptop.json("ingest", STUDY)
    server = install(database_url=postgres_url, object_store_url=store_url, s3_endpoint_url=s3_address)
    done = server.json("ingest", STUDY)
    assert done["items"][0]["states"] == {"processed": 5}

    keys = [key for key in store.list_keys("") if key.startswith(("quant_files/", "rna_seq_expression/"))]
    in_s3 = {key: hashlib.sha256(store.get_bytes(key)).hexdigest() for key in keys}
    assert len(in_s3) >= 13  # five samples with two files, the manifest, matrix and AnnData
    assert in_s3 == {key: digest for key, digest in laptop.stored().items() if key in in_s3}
    assert not server.objects.exists()

    again = server.json("ingest", STUDY)
    assert again["items"][0]["states"] == {"processed": 5}
    assert {key: hashlib.sha256(store.get_bytes(key)).hexdigest() for key in keys} == in_s3

    settings = Settings(
        home=server.home, database_url=postgres_url, object_store_url=store_url, s3_endpoint_url=s3_address
    )
    assert_downloads_come_from_s3(settings, postgres_url)


def assert_downloads_come_from_s3(settings: Settings, postgres_url: str) -> None:
    catalog = Catalog.connect(postgres_url)
    try:
        client = TestClient(create_app(settings, catalog))
        answer: dict[str, Any] = client.post("/graphql", json={"query": EXPRESSION}).json()
    finally:
        catalog.dispose()
    assert "errors" not in answer
    (experiment,) = answer["data"]["experiments"]["nodes"]
    assert experiment["state"] == "PROCESSED"
    files = [file for sample in experiment["samples"]["nodes"] for file in sample["computedFiles"]]
    assert len(files) == 10
    assert all(settings.s3_endpoint_url in file["downloadUrl"] for file in files)
