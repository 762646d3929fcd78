"""Download links: only what the catalog has, only while they are valid, only as we signed them."""

from __future__ import annotations

import base64
import hashlib
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_api.downloads import DownloadLinks, ExpiredLinkError, InvalidLinkError, download_secret
from refinebio_assets.domain.errors import ConfigurationError
from resources.object_store import ObjectStore
from resources.settings import Settings
from tests.graphql_api.conftest import Api
from tests.graphql_api.content import quant_key, quant_text

CONTENT = quant_text("SRR00100001")


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    """The store of ``sqlite_api``, with the quant file of the first sample."""
    store = ObjectStore.from_url(str(tmp_path / "home" / "objects"))
    store.put_bytes(CONTENT, quant_key(1, 1))
    return store


@pytest.fixture
def url(sqlite_api: Api, store: ObjectStore) -> str:
    """The download URL of that file."""
    (sample,) = sqlite_api.ask('{ samples(accessions: ["SRR00100001"]) { nodes { computedFiles { downloadUrl } } } }')[
        "samples"
    ]["nodes"]
    found: str = sample["computedFiles"][0]["downloadUrl"]
    return found.removeprefix("http://testserver")


def links(tmp_path: Path, *, seconds: int = 60, now: float = 1_000.0) -> DownloadLinks:
    store = ObjectStore.from_url(str(tmp_path / "home" / "objects"))
    return DownloadLinks(store, b"s" * 32, seconds=seconds, clock=lambda: now)


def test_a_link_gives_the_file_with_its_name_and_hash(sqlite_api: Api, url: str) -> None:
    response = sqlite_api.client.get(url)
    assert (response.status_code, response.content) == (200, CONTENT)
    assert response.headers["content-disposition"] == 'attachment; filename="quant.sf.gz"'
    assert response.headers["etag"] == f'"{hashlib.sha256(CONTENT).hexdigest()}"'
    assert response.headers["content-type"] == "application/octet-stream"
    assert sqlite_api.client.head(url).headers["content-length"] == str(len(CONTENT))


def test_an_interrupted_download_can_be_resumed(sqlite_api: Api, url: str) -> None:
    etag = sqlite_api.client.head(url).headers["etag"]
    rest = sqlite_api.client.get(url, headers={"Range": "bytes=10-", "If-Range": etag})
    assert (rest.status_code, rest.content) == (206, CONTENT[10:])
    assert rest.headers["content-range"] == f"bytes 10-{len(CONTENT) - 1}/{len(CONTENT)}"
    changed = sqlite_api.client.get(url, headers={"Range": "bytes=10-", "If-Range": '"other"'})
    assert (changed.status_code, changed.content) == (200, CONTENT)
    assert sqlite_api.client.get(url, headers={"Range": "bytes=999999-"}).status_code == 416


def test_a_file_that_the_client_has_is_not_sent_again(sqlite_api: Api, url: str) -> None:
    etag = sqlite_api.client.head(url).headers["etag"]
    assert sqlite_api.client.get(url, headers={"If-None-Match": etag}).status_code == 304


def test_a_changed_link_is_refused(sqlite_api: Api, url: str) -> None:
    token = url.removeprefix("/files/")
    payload, signature = token.split(".")
    other = base64.urlsafe_b64encode(b"9999999999:catalog.sqlite").rstrip(b"=").decode()
    flipped = signature[:5] + ("A" if signature[5] != "A" else "B") + signature[6:]
    for changed in (
        f"{other}.{signature}",
        f"{payload}.{flipped}",
        payload,
        f"{payload}.",
        f".{signature}",
        f"{token}=",
        f"{token}.x",
        "é",
        "%00",
    ):
        response = sqlite_api.client.get(f"/files/{changed}")
        assert response.status_code == 403, changed
        assert response.json()["error"]["code"] == "invalid_link"


def test_an_expired_link_is_gone(tmp_path: Path) -> None:
    token = links(tmp_path).token("quant_files/a")
    assert links(tmp_path, now=1_060.0).read(token) == "quant_files/a"
    with pytest.raises(ExpiredLinkError):
        links(tmp_path, now=1_060.5).read(token)


def test_an_expired_link_answers_410(sqlite_api: Api, store: ObjectStore, tmp_path: Path) -> None:
    secret = (tmp_path / "home" / "download_secret").read_bytes()
    token = DownloadLinks(store, secret, seconds=60, clock=lambda: 0.0).token(quant_key(1, 1))
    response = sqlite_api.client.get(f"/files/{token}")
    assert (response.status_code, response.json()["error"]["code"]) == (410, "expired_link")


@pytest.mark.parametrize(
    "key", ["../catalog.sqlite", "/etc/passwd", "quant_files/../../download_secret", "source_metadata/x", "", "a\x00b"]
)
def test_even_a_signed_key_reaches_only_catalogued_files(
    sqlite_api: Api, store: ObjectStore, tmp_path: Path, key: str
) -> None:
    (tmp_path / "home" / "objects" / "source_metadata").mkdir()
    (tmp_path / "home" / "objects" / "source_metadata" / "x").write_text("not catalogued")
    token = DownloadLinks(store, (tmp_path / "home" / "download_secret").read_bytes(), seconds=60).token(key)
    assert sqlite_api.client.get(f"/files/{token}").status_code == 404


def test_a_catalogued_key_that_leads_out_of_the_store_is_refused(sqlite_api: Api, url: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    path = tmp_path / "home" / "objects" / quant_key(1, 1)
    path.unlink()
    path.symlink_to(tmp_path / "secret")
    response = sqlite_api.client.get(url)
    assert response.status_code in {404, 503}
    assert "secret" not in response.text.replace("quant", "")


def test_a_file_that_is_gone_answers_404(sqlite_api: Api, url: str, tmp_path: Path) -> None:
    (tmp_path / "home" / "objects" / quant_key(1, 1)).unlink()
    response = sqlite_api.client.get(url)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


@given(key=st.text(st.characters(codec="utf-8"), min_size=1))
def test_every_key_comes_back_from_its_token(tmp_path_factory: pytest.TempPathFactory, key: str) -> None:
    made = links(tmp_path_factory.getbasetemp())
    assert made.read(made.token(key)) == key


@given(token=st.text())
def test_no_other_text_is_a_token(tmp_path_factory: pytest.TempPathFactory, token: str) -> None:
    with pytest.raises(InvalidLinkError):
        links(tmp_path_factory.getbasetemp()).read(token)


def test_the_secret_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with ThreadPoolExecutor(8) as threads:
        made = set(threads.map(lambda _: download_secret(settings), range(16)))
    assert len(made) == 1
    assert [file.name for file in (tmp_path / "home").iterdir()] == ["download_secret"]
    assert stat.S_IMODE((tmp_path / "home" / "download_secret").stat().st_mode) == 0o600
    assert download_secret(Settings(home=tmp_path, download_secret="chosen")) == b"chosen"


def test_a_damaged_secret_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "download_secret").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="damaged"):
        download_secret(Settings(home=tmp_path))


def test_files_in_s3_are_linked_by_s3_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    settings = Settings(home=tmp_path, object_store_url="s3://bucket/prefix", s3_endpoint_url="http://127.0.0.1:9")
    address = DownloadLinks.from_settings(settings).url("a/b.txt", "b.txt", base_url="http://api")
    assert address.startswith("http://127.0.0.1:9/bucket/prefix/a/b.txt?")
    assert "Signature=" in address
