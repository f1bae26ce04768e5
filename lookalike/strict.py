"""The base of everything that travels as JSON."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Frozen; an unknown field is an error, so that a misspelled one is not silently ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")
