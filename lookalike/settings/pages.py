"""Settings of what a system tells and shows: events, logs, Flower and the gallery."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from lookalike.settings.fields import Count, FromEnvironment, Port, Words

LogFormat = Literal["text", "json"]


class PageSettings(FromEnvironment):
    """Events, logs and pages."""

    max_events: Annotated[int, Field(ge=0)] = Field(
        default=10_000, description="Newest events (indexed, rejected, removed) that the broker keeps; 0 keeps none."
    )
    alive_file: Path | None = Field(
        default=None, description="File that workers and producer write while they are well, for a health check."
    )
    traces: bool = Field(
        default=False,
        description="Trace jobs from who sends them to their task, by OpenTelemetry; `OTEL_*` has the rest.",
    )
    log_format: LogFormat = Field(default="text", description="Form of the logs: `text` for people, or `json`.")
    flower_url: str | None = Field(default=None, description="Where Flower is, for `status`; `up` knows it by itself.")
    flower_host: str = Field(default="127.0.0.1", description="Address that Flower listens on.")
    flower_port: Port = Field(default=5555, description="Port of Flower; the next free one is taken.")
    flower_auth: SecretStr | None = Field(
        default=None, description="user:password for Flower; opens its API to who knows it."
    )
    web_url: str | None = Field(
        default=None, description="Where the gallery is, for `status`; `up` knows it by itself."
    )
    web_auth: SecretStr | None = Field(
        default=None,
        description="user:password, or a token, for the gallery; needed to listen beyond this machine.",
    )
    web_host: str = Field(default="127.0.0.1", description="Address that the gallery listens on.")
    web_port: Port = Field(default=8808, description="Port of the gallery; the next free one is taken.")
    web_names: Words = Field(
        default=(), description="Names by which browsers may reach the gallery, and Flower if it asks for no password."
    )
    max_upload_files: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=100, description="Most files in one upload into the library."
    )
    max_upload_bytes: Count = Field(
        default=256 * 2**20, description="Most bytes of one upload; each file within `LOOKALIKE_MAX_QUERY_BYTES`."
    )
    max_thumbnail_bytes: Count = Field(
        default=512 * 2**20, description="Most bytes of thumbnails that the gallery keeps on disk."
    )
