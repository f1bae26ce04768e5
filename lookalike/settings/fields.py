"""Types of fields that several settings share."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Port = Annotated[int, Field(ge=1, le=65535)]
Words = Annotated[tuple[str, ...], NoDecode]


class FromEnvironment(BaseSettings):
    """Fields that are read from the environment: `LOOKALIKE_` and the name of the field in capitals."""

    # Only the class that has all of the fields is ever made: building the schema of each takes milliseconds.
    model_config = SettingsConfigDict(
        env_prefix="LOOKALIKE_", frozen=True, populate_by_name=True, env_ignore_empty=True, defer_build=True
    )
