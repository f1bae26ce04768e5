"""Which system this is, its library and its broker."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints

from lookalike.library.address import LibraryAddress
from lookalike.settings.fields import FromEnvironment


class SystemSettings(FromEnvironment):
    """What every part has to know."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$")] = Field(
        default="lookalike", description="Name of the system: alias of its collection, prefix of its queues."
    )
    data: Path | None = Field(
        default=None, description="Folder for everything that `up` keeps; unset: one for each library."
    )
    library: LibraryAddress | None = Field(
        default=None, description="Folder with the images, or `s3://bucket/prefix` on object storage."
    )
    library_id: str | None = Field(
        default=None, description="Identity of the library; made once by `up`, or named to take over an index."
    )
    redis_url: SecretStr | None = Field(
        default=None,
        validation_alias="REDIS_URL",
        description="Redis or Valkey, or its sentinels; `up` starts one if unset.",
    )
    redis_password: SecretStr | None = Field(
        default=None,
        validation_alias="REDIS_PASSWORD",
        description="Password for that URL if it has none; any characters, as they are.",
    )
