"""Searches by examples through the queue: weights, boxes, filters, pages, and the former form of the message."""

import pytest

from lookalike import Client, Example, Refused
from lookalike.broker.app import celery_app
from lookalike.redis_keys import SEARCH
from tests.support.pictures import encoded, picture
from tests.support.sending import closed_after
from tests.worker.tasks.conftest import System


def test_a_message_of_the_former_form_is_told_the_new_one(system: System) -> None:
    with closed_after(celery_app(system.settings)) as app:
        message = {"v": 1, "image": {"path": "a.png"}, "limit": 5}
        sent = app.send_task(SEARCH, args=[message], queue=system.settings.keys.search)

        with pytest.raises(Refused, match=r'one of the examples now: {"examples": \[{"image": {"path": "a.jpg"}}\]}'):
            sent.get(timeout=20)


def test_examples_with_weights_and_boxes_a_filter_a_page_and_a_threshold(system: System) -> None:
    names = [system.path(seed, f"asked-{seed}.png") for seed in range(200, 206)]
    system.client.sync(names).result(timeout_s=20)
    wanted = {"format": "png", "width_px": {"gte": 64, "lte": 64}}
    box = Example(encoded(picture(200)), box=(0, 0, 1, 0.9))

    weighed = [{names[0]: 1.0, encoded(picture(203)): 0.01}, {names[0]: 0.01, encoded(picture(203)): 1.0}]
    first, second = (system.client.search(given, filter=wanted).result(timeout_s=20) for given in weighed)
    rest = system.client.search([box, Example(names[3], -0.2)], 3, offset=1, score_threshold=0.0).result(timeout_s=20)
    none = system.client.search(names[0], filter={"indexed_at": {"lte": "2020"}}).result(timeout_s=20)

    assert (first[0].path, second[0].path) == (names[0], names[3])
    assert (len(rest), none) == (3, [])
    assert names[0] not in {found.path for found in rest}


def test_a_box_of_a_path_is_cut_from_the_file_in_the_library(system: System) -> None:
    name = system.path(210, "boxed.png")
    system.client.sync([name]).result(timeout_s=20)

    with Client(system.settings.model_copy(update={"library": None})) as client:
        found = client.search(Example(name, box=(0, 0, 1, 0.95)), 1).result(timeout_s=20)

    assert found[0].path == name
