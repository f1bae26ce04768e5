"""Files of vectors: what is written is read again, in each form, and what cannot be read is refused in a sentence."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lookalike.errors import LookalikeError, Refused
from tests.worker.moving.drawn import ODD, assert_same, card, header_of, rows
from worker.index.payload import point_id
from worker.moving.files import reader_of, writer_of
from worker.moving.rows import PAGE_ROWS

FORMS = (".jsonl", ".npz", ".parquet")
VERDICTS = ['{"pair": ["a", "ü"], "same": true}', '{"pair": ["b", "c"], "same": false}']
COUNT = 2 * PAGE_ROWS + 3


@pytest.fixture(params=FORMS)
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"out{request.param}"
    model = card(tmp_path)
    header = header_of(model, COUNT)
    writer = writer_of(path, path, header)
    found = rows(COUNT, header.identity, model)
    for first in range(0, COUNT, 100):
        writer.add(found[first : first + 100])
    writer.close(VERDICTS)
    return path


def test_what_was_written_is_read_page_by_page(written: Path, tmp_path: Path) -> None:
    model = card(tmp_path)
    reader = reader_of(written)
    assert reader.header is not None
    pages = list(reader.pages())

    # It may have been made in the second before.
    assert replace(reader.header, made_at="") == replace(header_of(model, COUNT), made_at="")
    assert reader.count == COUNT
    assert max(map(len, pages)) <= PAGE_ROWS
    expected = {row.payload["path"]: row for row in rows(COUNT, reader.header.identity, model)}
    assert_same({row.payload["path"]: row for page in pages for row in page}, expected)
    assert [json.loads(line) for line in reader.verdicts()] == [json.loads(line) for line in VERDICTS]
    assert [path for path in written.parent.iterdir() if path.suffix == ".columns"] == []


def test_a_file_that_was_cut_off_is_refused(written: Path) -> None:
    blob = written.read_bytes()
    written.write_bytes(blob[: len(blob) // 2])

    with pytest.raises(Refused, match=r"out\."):
        _ = [row for page in reader_of(written).pages() for row in page]


def test_other_programs_read_exact_names_and_ids(tmp_path: Path) -> None:
    model = card(tmp_path)
    header = header_of(model, 3)
    for form in FORMS:
        writer = writer_of(tmp_path / f"o{form}", tmp_path / f"o{form}", header)
        writer.add(rows(3, header.identity, model))
        writer.close([])

    lines = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()[1:]]
    table = pq.read_table(tmp_path / "o.parquet").to_pylist()
    with np.load(tmp_path / "o.npz") as archive:
        arrays = dict(archive)

    assert [line["id"] for line in lines] == [row["id"] for row in table]
    assert [line["id"] for line in lines] == [one.decode() for one in arrays["ids"].tolist()]
    assert (lines[1]["path"], lines[1]["id"]) == (ODD, point_id(ODD))
    assert lines[1]["name_base64"] == "b2RkLekucG5n"
    assert [row["name"] for row in table] == [None, b"odd-\xe9.png", None]
    assert arrays["names"][1] == b"odd-\xe9.png"
    assert lines[0]["embedding"] is table[0]["embedding"] is None
    assert np.isnan(arrays["embedding"][0]).all()
    np.testing.assert_allclose(arrays["copy"][2], table[2]["copy"])
    assert json.loads(table[2]["payload"])["folders"] == ["folder 2"]


def write_foreign(path: Path, vectors: list[list[float]]) -> None:
    paths = [f"{number}.jpg" for number in range(len(vectors))]
    match path.suffix:
        case ".npz":
            np.savez(path, paths=np.array(paths), vectors=np.array(vectors, np.float64))
        case ".parquet":
            pq.write_table(pa.table({"path": paths, "vector": vectors}), path)
        case _:
            lines = [{"path": one, "vector": vector} for one, vector in zip(paths, vectors, strict=True)]
            path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.parametrize("form", FORMS)
def test_paths_and_vectors_of_other_programs_are_read(form: str, tmp_path: Path) -> None:
    write_foreign(tmp_path / f"clip{form}", [[1.0, 0.0], [0.5, 0.25]])

    reader = reader_of(tmp_path / f"clip{form}")
    found = [(row.payload, dict(row.vectors or {})) for page in reader.pages() for row in page]

    assert reader.header is None
    assert found == [({"path": "0.jpg"}, {"embedding": [1.0, 0.0]}), ({"path": "1.jpg"}, {"embedding": [0.5, 0.25]})]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("out.csv", b"", "let it end in .parquet, .npz or .jsonl"),
        ("missing.npz", None, "There is no file"),
        ("out.npz", b"not a zip", "no archive that NumPy wrote"),
        ("out.parquet", b"not a table", "no Parquet file"),
        ("out.jsonl", b"{broken\n", "Line 1 of .* is no JSON"),
        ("out.jsonl", b"[1]\n", "no JSON object"),
        ("out.jsonl", b'{"lookalike": {"form": 1}}\n', "cannot be read"),
        ("out.jsonl", b'{"path": "a.jpg"}\n', "a row without a path or without a vector"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(
    name: str, content: bytes | None, words: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(LookalikeError, match=words):
        _ = [row for page in reader_of(tmp_path / name).pages() for row in page]


def test_a_form_of_a_later_version_names_the_program_that_reads_it(tmp_path: Path) -> None:
    header = json.loads(header_of(card(tmp_path)).to_json())
    (tmp_path / "out.jsonl").write_text(json.dumps({"lookalike": {**header, "form": 9, "made_by": "9.9"}}) + "\n")

    with pytest.raises(Refused, match=r"form 9, and this version reads 1: take lookalike 9\.9"):
        reader_of(tmp_path / "out.jsonl")
