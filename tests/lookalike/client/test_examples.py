"""What a caller gives as examples becomes one message and the bytes for it, or a sentence that names the fault."""

import base64
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from lookalike import Example, Refused
from lookalike.client.queries.caller_paths import CallerPaths
from lookalike.client.queries.examples import ImageReader, examples_given, search_message, with_images
from lookalike.client.queries.query_image import query_image
from lookalike.messages import MAX_EXAMPLES, MAX_INLINE_QUERY_BYTES, MAX_OFFSET, SearchMessage, first_fault
from tests.support.pictures import encoded

READER = ImageReader(CallerPaths(None), lambda _: False, max_bytes=100)
PATH = {"image": {"path": "a.jpg"}}


@pytest.mark.parametrize(
    ("given", "examples"),
    [
        ("a.jpg", [Example("a.jpg")]),
        (Path("a.jpg"), [Example(Path("a.jpg"))]),
        (b"x", [Example(b"x")]),
        (bytearray(b"x"), [Example(b"x")]),
        (Example("a.jpg", 2.0), [Example("a.jpg", 2.0)]),
        (["a.jpg", Example(b"x", -1.0)], [Example("a.jpg"), Example(b"x", -1.0)]),
        ({"a.jpg": 1.0, b"x": -0.5}, [Example("a.jpg", 1.0), Example(b"x", -0.5)]),
        ((name for name in ("a.jpg", "b.jpg")), [Example("a.jpg"), Example("b.jpg")]),
    ],
)
def test_one_image_a_mapping_to_weights_and_any_number_are_examples(given: Any, examples: list[Example]) -> None:
    assert examples_given(given) == examples


def test_a_file_here_travels_as_bytes_and_a_path_of_the_library_as_a_path(tmp_path: Path) -> None:
    (tmp_path / "here.png").write_bytes(b"image")
    given = [Example(tmp_path / "here.png", 2.0, (0, 0, 0.5, 1)), Example("there.png"), Example(b"bytes", -1.0)]

    message, blobs = with_images(search_message(given, limit=5), given, READER)

    sent = message.model_dump(mode="json", exclude_none=True)["examples"]
    first, last = sent[0]["image"]["key"], sent[2]["image"]["key"]
    assert blobs == {first: b"image", last: b"bytes"}
    assert sent == [
        {"image": {"key": first}, "weight": 2.0, "box": [0.0, 0.0, 0.5, 1.0]},
        {"image": {"path": "there.png"}, "weight": 1.0},
        {"image": {"key": last}, "weight": -1.0},
    ]


def test_all_images_of_a_search_share_one_bound() -> None:
    given = [Example(b"x" * 60), Example(b"y" * 60)]

    with pytest.raises(Refused, match=r"have 120 bytes, at most 100 are allowed \(LOOKALIKE_MAX_QUERY_BYTES\)"):
        with_images(search_message(given), given, READER)


@pytest.mark.parametrize(
    ("examples", "fields", "said"),
    [
        ([], {}, "examples: List should have at least 1 item"),
        ([Example("a")] * (MAX_EXAMPLES + 1), {}, f"examples: List should have at most {MAX_EXAMPLES} items"),
        ([Example("a", -1.0)], {}, "No example has a weight above 0"),
        ([Example("a", math.nan)], {}, "examples.0.weight: "),
        ([Example("a", math.inf)], {}, "examples.0.weight: "),
        ([Example("a"), Example("b", box=(0, 0, 1.1, 1))], {}, "examples.1.box.2: Input should be less than or equal"),
        ([Example("a", box=(-0.1, 0, 1, 1))], {}, "examples.0.box.0: Input should be greater than or equal to 0"),
        ([Example("a", box=(0.5, 0, 0.5, 1))], {}, r"examples.0.box: a box is \[left, top, right, bottom\]"),
        ([Example("a", box=(0, 0, 1))], {}, "examples.0.box"),
        ([Example("a", box=(0, math.nan, 1, 1))], {}, "examples.0.box.1"),
        ([Example("a")], {"score_threshold": math.nan}, "score_threshold: Input should be a finite number"),
        ([Example("a")], {"score_threshold": "near"}, "score_threshold: Input should be a valid number"),
        ([Example("a")], {"filter": {"camera": "x"}}, "filter: 'camera' is no field of a filter"),
        ([Example("a")], {"offset": MAX_OFFSET + 1}, "offset: Input should be less than or equal to 10000"),
    ],
)
def test_a_fault_is_named_by_its_field(examples: list[Example], fields: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=f"The search cannot be sent: .*{said}"):
        search_message(examples, **fields)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (PATH, 'an image is one of the examples now: {"examples": [{"image": {"path": "a.jpg"}}]}'),
        ({"examples": [PATH], "image": {"path": "b.jpg"}}, "an image is one of the examples now"),
        ({"examples": [PATH | {"weight": -1}]}, "No example has a weight above 0"),
        ({"examples": [PATH | {"weight": 1001}]}, "examples.0.weight: Input should be less than or equal to 1000"),
    ],
)
def test_a_message_of_another_form_is_refused_with_the_form_that_is_wanted(message: Any, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SearchMessage.model_validate(message)

    assert said in first_fault(caught.value)


def test_images_within_the_message_share_its_bound() -> None:
    half = base64.b64encode(bytes(MAX_INLINE_QUERY_BYTES // 2)).decode()
    inline = {"image": {"base64": half}}

    assert SearchMessage.model_validate({"examples": [inline, inline]})
    with pytest.raises(ValidationError, match="images in the message may have 65536 bytes together"):
        SearchMessage.model_validate({"examples": [inline] * 3})


def test_a_box_of_a_large_photo_keeps_the_pixels_that_a_whole_one_would_have() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3000, 4000, 3), dtype=np.uint8)
    photo = encoded(Image.fromarray(noise), "JPEG", quality=90)

    def sent_size(box: tuple[float, ...] | None) -> tuple[int, int]:
        with Image.open(io.BytesIO(query_image(photo, max_bytes=10**8, box=box).blob)) as image:
            return image.size

    assert sent_size(None) == (1000, 750)
    assert sent_size((0.2, 0.2, 0.7, 0.7)) == (2000, 1500)
    assert sent_size((0.2, 0.2, 0.3, 0.3)) == (4000, 3000)
