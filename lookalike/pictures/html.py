"""Pictures in a row with names and scores, as HTML that needs nothing else: for Jupyter."""

import base64
import io
from collections.abc import Sequence
from html import escape

from lookalike.pictures.thumbnails import Thumbnails, Unreadable
from lookalike.search.neighbour import Neighbour
from lookalike.terminal import escaped_name

SIDE_PX = 144
JPEG_QUALITY = 80
# A notebook keeps what it shows: 5 to 10 kB each.
MOST_PICTURES = 24
ROW = "display:flex;flex-wrap:wrap;gap:12px;align-items:flex-end"
CELL = f"width:{SIDE_PX}px;margin:0;font-size:12px;overflow-wrap:anywhere"
EMPTY = f"height:{SIDE_PX}px;border:1px dashed;box-sizing:border-box;padding:8px;opacity:.6"


def pictures_html(found: Sequence[Neighbour], note: str | None, *, thumbnails: Thumbnails) -> str:
    """The neighbours as a row of pictures; as a table where the library cannot be read; or the note."""
    if not found:
        return f"<p>{escape(note or 'Nothing was found.')}</p>"
    below = f"<p>{escape(note)}</p>" if note else ""
    if not thumbnails.has_library:
        return _table(found) + below
    cells = "".join(_cell(each, thumbnails) for each in found[:MOST_PICTURES])
    rest = len(found) - MOST_PICTURES
    more = f"<p>and {rest} more</p>" if rest > 0 else ""
    return f'<div style="{ROW}">{cells}</div>{more}{below}'


def _cell(found: Neighbour, thumbnails: Thumbnails) -> str:
    name = _name(found)
    caption = f"<figcaption>{name}<br><b>{found.similarity:.3f}</b> ({found.score:.4f})</figcaption>"
    return f'<figure style="{CELL}" title="{name}">{_picture(found, thumbnails)}{caption}</figure>'


def _picture(found: Neighbour, thumbnails: Thumbnails) -> str:
    try:
        image = thumbnails.of_path(found.path, SIDE_PX)
    except Unreadable as error:
        return f'<div style="{EMPTY}">{escape(str(error))}</div>'
    out = io.BytesIO()
    image.save(out, "JPEG", quality=JPEG_QUALITY)
    data = base64.b64encode(out.getvalue()).decode()
    return f'<img alt="{_name(found)}" src="data:image/jpeg;base64,{data}">'


def _table(found: Sequence[Neighbour]) -> str:
    rows = "".join(
        f"<tr><td>{each.similarity:.3f}</td><td>{each.score:.4f}</td><td>{_name(each)}</td></tr>" for each in found
    )
    return f"<table><tr><th>similarity</th><th>score</th><th>path</th></tr>{rows}</table>"


def _name(found: Neighbour) -> str:
    return escape(escaped_name(found.path))
