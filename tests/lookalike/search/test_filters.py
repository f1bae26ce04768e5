"""A filter means what it says, and a field that means nothing is named."""

import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from lookalike.messages import SearchMessage, first_fault
from lookalike.search.filters import SearchFilter, matcher_of


def test_a_value_alone_is_both_bounds_and_a_folder_has_no_slash_at_its_end() -> None:
    wanted = SearchFilter.model_validate({"folder": "trips/2024/", "format": "jpeg", "width_px": 64})

    assert wanted.model_dump(mode="json", exclude_none=True) == {
        "folder": "trips/2024",
        "format": "JPEG",
        "width_px": {"gte": 64, "lte": 64},
    }


@pytest.mark.parametrize(
    ("given", "begins", "ends"),
    [
        ("2024", (2024, 1, 1), (2024, 12, 31, 23, 59, 59, 999999)),
        ("2024-02", (2024, 2, 1), (2024, 2, 29, 23, 59, 59, 999999)),
        ("9999-12", (9999, 12, 1), (9999, 12, 31, 23, 59, 59, 999999)),
        ("2024-05-06", (2024, 5, 6), (2024, 5, 6, 23, 59, 59, 999999)),
        (date(2024, 5, 6), (2024, 5, 6), (2024, 5, 6, 23, 59, 59, 999999)),
        ("2024-05-06T07:08:09", (2024, 5, 6, 7, 8, 9), (2024, 5, 6, 7, 8, 9)),
        ("2024-05-06T07:08:09Z", (2024, 5, 6, 7, 8, 9), (2024, 5, 6, 7, 8, 9)),
        (datetime(2024, 5, 6, 7, tzinfo=UTC), (2024, 5, 6, 7), (2024, 5, 6, 7)),
    ],
)
def test_a_date_covers_all_of_its_year_month_or_day(given: Any, begins: tuple[int, ...], ends: tuple[int, ...]) -> None:
    found = SearchFilter.model_validate({"taken_at": given}).taken_at

    assert found is not None
    assert (found.gte, found.lte) == (datetime(*begins, tzinfo=UTC), datetime(*ends, tzinfo=UTC))  # type: ignore[misc,arg-type]
    # What is sent on means the same there.
    assert SearchFilter.model_validate_json(SearchFilter(taken_at=found).model_dump_json()).taken_at == found


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("", {}),
        ("folder=trips", {"folder": "trips"}),
        ("folder='my trips/2024'", {"folder": "my trips/2024"}),
        (["folder=my trips/2024"], {"folder": "my trips/2024"}),
        (
            "format=jpeg  width_px>=1000 width_px<=2000 height_px=500",
            {"format": "jpeg", "width_px": {"gte": 1000, "lte": 2000}, "height_px": 500},
        ),
        (["taken_at >= 2024-05", "taken_at<=2024"], {"taken_at": {"gte": "2024-05", "lte": "2024"}}),
        ("path=**/a=b*.jpg orientation=portrait", {"path": "**/a=b*.jpg", "orientation": "portrait"}),
        (
            "modified_at=2024-05-31T07:08:09Z size_bytes<=5",
            {"modified_at": "2024-05-31T07:08:09Z", "size_bytes": {"lte": 5}},
        ),
    ],
)
def test_the_text_says_the_same_as_the_fields(text: Any, fields: dict[str, Any]) -> None:
    assert SearchFilter.model_validate(text) == SearchFilter.model_validate(fields)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.jpg", "trips/2024/a.jpg", True),
        ("*.jpg", "a.jpeg", False),
        ("trips/*.jpg", "trips/a.jpg", True),
        ("trips/*.jpg", "trips/2024/a.jpg", False),
        ("trips/**/*.jpg", "trips/2024/a.jpg", True),
        ("/a.jpg", "trips/a.jpg", False),
        ("2024/", "trips/2024/a.jpg", True),
        ("IMG_[0-3]?.png", "x/IMG_12.png", True),
    ],
)
def test_a_pattern_means_what_it_means_in_gitignore(pattern: str, path: str, matches: bool) -> None:  # noqa: FBT001
    assert matcher_of(pattern).match_file(path) == matches


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"camera": "x"}, "filter: 'camera' is no field of a filter: there are folder, path, format"),
        ({"widht_px": 3}, "filter: 'widht_px' is no field of a filter: did you mean width_px?"),
        ({"orientation": "up"}, "filter.orientation: Input should be 'landscape', 'portrait' or 'square'"),
        ({"path": "!a"}, "filter.path: '!a' is no pattern of what is wanted"),
        ({"path": "#a"}, "filter.path: '#a' is no pattern of what is wanted"),
        ({"path": "a\\"}, "filter.path: .* is no pattern"),
        ({"modified_at": "soon"}, "filter.modified_at.gte: "),
        ({"folder": "../secret"}, r"filter.folder: .* is not a path inside the library"),
        ({"folder": ""}, r"filter.folder: .* is not a path inside the library"),
        ({"format": 3}, "filter.format: Input should be a valid string"),
        ({"width_px": "64"}, "filter.width_px.gte: Input should be a valid integer"),
        ({"width_px": True}, "filter.width_px.gte: Input should be a valid integer"),
        ({"width_px": {"gte": -1}}, "filter.width_px.gte: Input should be greater than or equal to 0"),
        ({"size_bytes": {"lt": 5}}, "filter.size_bytes.lt: Extra inputs are not permitted"),
        ({"size_bytes": {}}, "filter.size_bytes: give a value, or gte, lte or both"),
        ({"size_bytes": {"gte": 5, "lte": 4}}, "filter.size_bytes: gte is above lte"),
        ({"taken_at": "yesterday"}, "filter.taken_at.gte: "),
        ({"taken_at": "2024-02-30"}, "filter.taken_at.gte: "),
        ({"taken_at": 1714953600}, "filter.taken_at.gte: give a date or time in ISO 8601"),
        ({"indexed_at": {"gte": "2025", "lte": "2024"}}, "filter.indexed_at: gte is above lte"),
        (3, "filter: Input should be a valid dictionary"),
        ("trips", "filter: 'trips' is no condition: write a field, one of = >= <=, and a value"),
        ("width_px>100", "filter: 'width_px>100' is no condition"),
        ("format==JPEG", "filter: 'format==JPEG' is no condition"),
        ("folder=", "filter: folder has no value"),
        ("folder=a folder=b", "filter: folder is given twice"),
        ("width_px>=1 width_px>=2", "filter: width_px is given twice"),
        ("width_px=1 width_px>=2", "filter: width_px is given twice"),
        ("width_px=1_000", "filter: width_px is '1_000' and must be a whole number"),
        ("width_px=-1", "filter: width_px is '-1' and must be a whole number"),
        ("folder='my trips", "filter: .* a value with blanks stands in quotes"),
        ("camera=x", "filter: 'camera' is no field of a filter"),
        ("taken_at=soon", "filter.taken_at.gte: "),
        ("folder>=a", "filter.folder: Input should be a valid string"),
        (["folder=a", 3], "filter: Input should be a valid dictionary"),
    ],
)
def test_a_faulty_field_is_named(wanted: Any, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SearchMessage.model_validate({"examples": [{"image": {"path": "a"}}], "filter": wanted})

    assert re.match(said, first_fault(caught.value)), first_fault(caught.value)
