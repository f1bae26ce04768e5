"""The messages of a search, of one query or of many, and what they are answered with."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from lookalike.messages.bounds import MAX_QUERIES, Generation
from lookalike.search.neighbour import Neighbour
from lookalike.search.query import SearchQuery, check_size
from lookalike.strict import Strict


class SearchMessage(SearchQuery):
    """Asks one query (lookalike/search/query.py has its fields)."""

    v: Literal[1] = 1
    generation: Generation | None = None

    @model_validator(mode="before")
    @classmethod
    def _names_the_new_form(cls, message: Any) -> Any:
        if isinstance(message, dict) and "image" in message:
            raise ValueError('an image is one of the examples now: {"examples": [{"image": {"path": "a.jpg"}}]}')
        return message


class SearchReply(Strict):
    """Neighbours, best first, and the milliseconds that the worker took.

    `note` is a sentence for people if nothing was found, or if it was answered otherwise than asked.
    """

    neighbours: list[Neighbour]
    took_ms: float
    note: str | None = None


class SearchManyMessage(Strict):
    """Asks many queries at once: the model and the store are asked once for all of them."""

    v: Literal[1] = 1
    queries: Annotated[list[SearchQuery], Field(min_length=1, max_length=MAX_QUERIES)]
    generation: Generation | None = None

    @model_validator(mode="after")
    def _fits(self) -> "SearchManyMessage":
        check_size(self.queries)
        return self


class QueryReply(Strict):
    """The answer to one of many queries: neighbours, or the sentence that refuses this one."""

    neighbours: list[Neighbour] = Field(default_factory=list)
    note: str | None = None
    error: str | None = None


class SearchManyReply(Strict):
    """One answer for each query, in their order, and the milliseconds that the worker took for all."""

    replies: list[QueryReply]
    took_ms: float
