"""What both ends of a message must agree on: constants and not settings, and the types made of them."""

from typing import Annotated

from pydantic import Field, StringConstraints

from lookalike.search.query import RelativePath

# A read of 1,000 files takes about 10 ms; more per message would delay the searches behind it.
MAX_MESSAGE_PATHS = 1000
MAX_PAGE = 1000
# LOOKALIKE_MAX_BATCH_QUERIES is the bound of a system, and may be lower.
MAX_QUERIES = 1000
# More is no thumbnail: the original is there to be looked at.
MAX_THUMBNAIL_PX = 1024

Paths = Annotated[list[RelativePath], Field(max_length=MAX_MESSAGE_PATHS)]
# Model file, decoder revision and distance, as CountsReply tells it.
Generation = Annotated[str, StringConstraints(min_length=1, max_length=100)]
