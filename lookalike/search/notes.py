"""What an empty answer says. Pure."""

from lookalike.search.query import SearchQuery


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
