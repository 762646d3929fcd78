from __future__ import annotations

from pathlib import Path

import pytest

from refinebio_assets.domain.errors import InputError, NotFoundError
from refinebio_assets.metadata.import_run import local_file
from resources.object_store.s3 import S3Store
from tests.metadata.files import CONTRIBUTED


def test_a_file_in_s3_is_here_while_it_is_read(s3_store: S3Store, tmp_path: Path) -> None:
    s3_store.put_file(CONTRIBUTED / "keywords.json", "from/elsewhere/keywords.json")
    location = s3_store.uri("from/elsewhere/keywords.json")
    assert location.startswith("s3://")
    with local_file(location, tmp_path / "scratch", s3_endpoint_url=s3_store.endpoint_url) as path:
        assert path.read_bytes() == (CONTRIBUTED / "keywords.json").read_bytes()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_file_that_s3_does_not_have_is_not_found(s3_store: S3Store, tmp_path: Path) -> None:
    with (
        pytest.raises(NotFoundError),
        local_file(s3_store.uri("nothing.json"), tmp_path, s3_endpoint_url=s3_store.endpoint_url),
    ):
        pass


def test_a_file_on_this_machine_is_taken_where_it_is(tmp_path: Path) -> None:
    with local_file(str(CONTRIBUTED / "keywords.json"), tmp_path / "scratch") as path:
        assert path == CONTRIBUTED / "keywords.json"
    assert not (tmp_path / "scratch").exists()
    with pytest.raises(InputError, match="no such file"), local_file("nothing.json", tmp_path):
        pass
