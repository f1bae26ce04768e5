"""Which form of a file of vectors a name means."""

from importlib.util import find_spec
from pathlib import Path

from lookalike.errors import Misconfigured, Refused
from worker.moving.header import Header
from worker.moving.json_lines import JsonLinesReader, JsonLinesWriter
from worker.moving.npz import NpzReader, NpzWriter
from worker.moving.rows import Reader, Writer

FORMS = (".parquet", ".npz", ".jsonl")


def writer_of(path: Path, name: Path, header: Header) -> Writer:
    """A writer to `path` of the form that `name` has. Raises Refused, Misconfigured."""
    match form_of(name):
        case ".parquet":
            from worker.moving.parquet import ParquetWriter  # noqa: PLC0415 (of an extra)

            return ParquetWriter(path, header)
        case ".npz":
            return NpzWriter(path, header)
        case _:
            return JsonLinesWriter(path, header)


def reader_of(path: Path) -> Reader:
    """A reader of the form that the file's name has. Raises Refused, Misconfigured."""
    form = form_of(path)
    if not path.is_file():
        raise Refused(f"There is no file {path}: name one that `lookalike export` wrote.")
    match form:
        case ".parquet":
            from worker.moving.parquet import ParquetReader  # noqa: PLC0415 (of an extra)

            return ParquetReader(path)
        case ".npz":
            return NpzReader(path)
        case _:
            return JsonLinesReader(path)


def form_of(path: Path) -> str:
    """The form that the name has. Raises Refused for another, Misconfigured for one that needs an extra."""
    form = path.suffix.lower()
    if form not in FORMS:
        raise Refused(f"{path} names no form that is known: let it end in {', '.join(FORMS[:-1])} or {FORMS[-1]}.")
    if form == ".parquet" and find_spec("pyarrow") is None:
        raise Misconfigured(
            "Parquet needs a package that is not installed: pip install 'lookalike[export]', or take .npz or .jsonl."
        )
    return form
