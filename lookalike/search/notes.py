"""What an answer says apart from its neighbours. Pure."""

from collections.abc import Sequence

from lookalike.search.neighbour import Neighbour
from lookalike.search.query import By, SearchQuery

# Without a copy descriptor the embedding must do.
NO_COPIES = (
    "The model of this index has no vector for copies, so the embedding was asked in its place: crops and turned "
    "copies may be missed (another LOOKALIKE_MODEL, and `lookalike up FOLDER --rebuild`)."
)


def note_of(query: SearchQuery, found: Sequence[Neighbour], by: By) -> str | None:
    """What must be told with the neighbours, which were looked for by these vectors; None if nothing."""
    notes = [] if by == query.by else [NO_COPIES]
    return " ".join([*notes, *([] if found else [note_of_nothing(query)])]) or None


def note_of_nothing(query: SearchQuery) -> str:
    """The sentence for a query that found nothing."""
    if query.offset:
        return f"There is nothing after the first {query.offset} or fewer neighbours."
    among = " among the files that the filter describes" if query.filter is not None else ""
    if query.min_similarity is not None or query.score_threshold is not None:
        return f"Nothing is similar enough{among}: ask for less by min_similarity or score_threshold."
    if query.filter is not None:
        return "No image in the index is what the filter describes."
    return "The index has no other image." if query.exclude_self else "The index has no image."
