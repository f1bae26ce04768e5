"""Every test here is run on both sides."""

from collections.abc import Iterator

import pytest

from lookalike import Client
from tests.worker.tasks.transports.sides import Side, celery_side, memory_side


@pytest.fixture(params=["celery", "memory"])
def side(request: pytest.FixtureRequest) -> Side:
    return celery_side(request.getfixturevalue("system")) if request.param == "celery" else memory_side()


@pytest.fixture
def client(side: Side) -> Iterator[Client]:
    with side.client() as client:
        yield client
