import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.library.buckets import PAGE, Served
from tests.support.faulty.faulty_store import faulty_store
from tests.support.object_store import Bucket, access, object_store


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def _store_url() -> Iterator[str]:
    with object_store(page=PAGE) as url:
        yield url


@pytest.fixture
def served(_store_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A bucket with nothing in it, for which the environment has keys."""
    bucket = Bucket(_store_url, f"bucket-{uuid.uuid4().hex}")
    bucket.make()
    with faulty_store(_store_url) as store:
        for name, value in access(store.url).items():
            monkeypatch.setenv(name, value)
        yield Served(bucket, store)
