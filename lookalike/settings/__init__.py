"""All settings, read once from the environment and passed on. Knows no part of the system."""

import os
import sys
from datetime import time
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from lookalike.errors import Misconfigured
from lookalike.library.address import LibraryAddress
from lookalike.library.ignore_defaults import DEFAULT_IGNORE
from lookalike.redis_keys import Keys
from lookalike.settings.environment_check import unknown_variables
from lookalike.settings.quiet_hours import QuietHours
from lookalike.settings.secret_checks import (
    check_api_key,
    check_broker_url,
    check_flower_auth,
    check_web_auth,
    is_loopback,
    with_password,
)

Distance = Literal["cosine", "dot", "euclid", "manhattan"]
Quantization = Literal["none", "int8"]
Provider = Literal["auto", "cpu", "openvino", "cuda"]
LogFormat = Literal["text", "json"]
Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Port = Annotated[int, Field(ge=1, le=65535)]
Words = Annotated[tuple[str, ...], NoDecode]

# What Pillow, libheif, LibRaw and libjxl open and people keep photos in. The content, not the name, decides the format.
EXTENSIONS = (
    "apng,arw,avif,bmp,cr2,cr3,crw,dds,dib,dng,gif,heic,heif,hif,ico,j2k,jfif,jp2,jpe,jpeg,jpf,jpg,jpx,jxl,mpo,nef,"
    "orf,pbm,pcx,pgm,pjpeg,png,pnm,ppm,psd,qoi,raf,rw2,sgi,tga,tif,tiff,webp"
)


class Settings(BaseSettings):
    """Settings of every part, `LOOKALIKE_` and the name in capitals in the environment.

    `REDIS_URL`, `QDRANT_URL` and `QDRANT_API_KEY` have their usual names.
    """

    model_config = SettingsConfigDict(
        env_prefix="LOOKALIKE_", frozen=True, populate_by_name=True, env_ignore_empty=True
    )

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
    qdrant_url: str | None = Field(
        default=None,
        validation_alias="QDRANT_URL",
        description="Qdrant; `up` starts the embedded engine if unset.",
    )
    qdrant_api_key: SecretStr | None = Field(
        default=None, validation_alias="QDRANT_API_KEY", description="Key of that Qdrant."
    )
    qdrant_ca: Path | None = Field(
        default=None,
        description="PEM file with the authority that signed that Qdrant's certificate, for https by REST and gRPC.",
    )
    qdrant_grpc: bool = Field(
        default=False, description="Speak gRPC to that Qdrant; the embedded engine has REST alone."
    )
    qdrant_grpc_port: Port = Field(default=6334, description="Port of gRPC at that Qdrant.")
    target_api_key: SecretStr | None = Field(
        default=None, description="Key of the Qdrant that `lookalike migrate` copies to."
    )
    # The default limit of nginx and others; 64 vectors of 512 numbers with their paths take 0.85 MB.
    store_request_bytes: Count = Field(
        default=2**20, description="Most bytes in one write to the store; halved by itself if the store takes less."
    )
    # Exact search among 20,000 vectors takes 2 ms; docs/decisions/0010-index.md.
    hnsw_threshold: Count | None = Field(
        default=None,
        description="Points above which an HNSW index is built; by default 20,000, or as a server does.",
    )
    hnsw_ef: Count | None = Field(
        default=None, description="Candidates of a search in that index: more find more and take longer."
    )
    quantization: Quantization = Field(
        default="none", description="`int8` searches vectors of a quarter of the size, and finds a little less."
    )
    vectors_on_disk: bool = Field(default=False, description="Leave whole vectors on disk, read as they are needed.")
    shard_number: Count | None = Field(default=None, description="Shards of a new index, on a Qdrant cluster.")
    replication_factor: Count | None = Field(
        default=None, description="Copies of each shard; with 2 a node may be down."
    )
    write_consistency_factor: Count | None = Field(
        default=None, description="Copies that must have a write before it counts."
    )
    model: str = Field(default="resnet", description="Path of an ONNX model, or the name of one in models/.")
    distance: Distance = Field(default="cosine", description="Metric of the index; `reindex` changes it.")
    succeeds: str | None = Field(
        default=None, description="Name of the system whose index this one is to replace; `reindex` sets it."
    )
    keep_old_days: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="Days after which the index from before a switch is dropped by itself; never if unset.",
    )

    polling: bool = Field(
        default=False, description="Look for changes instead of being told (network shares, Docker Desktop)."
    )
    poll_s: Seconds = Field(default=5.0, description="Seconds between two looks when polling.")
    settle_s: Seconds = Field(default=0.5, description="Seconds for which size and mtime must rest.")
    rescan_s: Seconds | None = Field(
        default=None,
        description="Seconds between two scans; unset: 300 where changes go unseen (network shares), else a day.",
    )
    scan_at: time | None = Field(
        default=None, description="Time of the day for a scan, such as 03:30; begun within the half hour after it."
    )
    bucket_timeout_s: Seconds = Field(
        default=30.0, description="Seconds without a byte after which a request to object storage is tried again."
    )
    bucket_retry_s: Seconds = Field(
        default=30.0, description="Longest time of all tries of one request to object storage."
    )
    bucket_events: str | None = Field(
        default=None, description="List in Redis where the bucket's notifications arrive; scans alone if unset."
    )
    max_deleted_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.3, description="Share of the index that a scan removes without asking."
    )
    max_deleted_files: Count = Field(default=100, description="Files that a scan removes without asking, in any case.")
    batch_paths: Annotated[int, Field(ge=1, le=1000)] = Field(default=64, description="Most paths in one task.")
    batch_bytes: Count = Field(
        default=32 * 2**20, description="Most bytes of files in one task; a larger file is a task of its own."
    )
    batch_wait_s: Seconds = Field(default=0.25, description="Longest wait of a path for its batch to fill.")
    max_queued_batches: Count = Field(default=64, description="Batches that may wait in one queue.")
    extensions: Words = Field(
        default=tuple(EXTENSIONS.split(",")), description="Extensions of candidates, comma-separated."
    )
    ignore: Words = Field(
        default=(), description="Patterns of what to leave out, as in .gitignore, separated by commas or line feeds."
    )
    ignore_defaults: Words = Field(
        default=DEFAULT_IGNORE, description="Patterns that come before yours; set it to nothing to look everywhere."
    )

    provider: Provider = Field(
        default="auto", description="What computes the embeddings: `cpu`, `openvino`, `cuda`, or the fastest here."
    )
    ingest_processes: Count | None = Field(default=None, description="Ingest processes; one per core if unset.")
    ingest_nice: Annotated[int, Field(ge=0, le=19)] = Field(
        default=10, description="Niceness of ingest processes: 0 competes with everything, 19 yields to everything."
    )
    ingest_idle_s: Seconds = Field(
        default=600.0, description="Seconds without a batch after which ingest gives up the memory of its model."
    )
    quiet_hours: str | None = Field(
        default=None,
        description="Hours in which ingest pauses, by the local clock: 08:00-18:00, or 22:00-06:00.",
    )
    pause_on_battery: bool = Field(default=False, description="Pause ingest while the machine runs on its battery.")
    inference_batch: Count = Field(default=8, description="Images in one run of the model.")
    max_image_bytes: Count = Field(default=512 * 2**20, description="Largest file that is read.")
    # 128 million pixels are 384 MB as RGB; the largest photo that phones take today has 200 million.
    max_image_pixels: Count = Field(default=128_000_000, description="Largest image that is decoded.")
    decode_timeout_s: Annotated[int, Field(ge=1)] = Field(
        default=30, description="Seconds after which opening one image is given up."
    )
    # Measured: 200 MiB at rest; what one image of 128 million pixels takes is given back by a new process.
    max_worker_mib: Count = Field(default=1024, description="Memory above which a worker process is replaced.")
    max_query_bytes: Count = Field(default=32 * 2**20, description="Most bytes of the images of one search.")
    max_limit: Count = Field(default=1000, description="Most neighbours that one search may ask for.")
    max_batch_queries: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=64, description="Most queries in one message; `search_many` sends more as several messages."
    )
    max_batch_neighbours: Count = Field(
        default=10_000, description="Most neighbours that the queries of one message may ask for together."
    )
    max_pattern_files: Count = Field(
        default=10_000, description="Most files that the path pattern of a filter may match."
    )
    max_sample_files: Count = Field(default=2000, description="Most files that a sample of the index is chosen from.")
    # Of a second look each, 5 to 10 ms; a photo among 100,000 has hundreds that are a little like it.
    duplicate_candidates: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=16, description="Nearest images of each that a job for duplicates looks at."
    )
    duplicate_exact_images: Count = Field(
        default=200_000,
        description="Images up to which the nearest of each are found exactly; above by the store's index.",
    )
    task_time_limit_s: Seconds = Field(default=300.0, description="Longest time for one batch; it is run again then.")
    try_again_s: Seconds = Field(
        default=5.0,
        description="Pause before a batch that failed unforeseen is tried again; the next is twice that.",
    )
    lease_s: Annotated[float, Field(ge=1)] = Field(
        default=10.0, description="Seconds of silence after which other workers take over what a worker holds."
    )
    search_timeout_s: Seconds = Field(default=30.0, description="Seconds after which a search is of no use any more.")
    search_lock: Path | None = Field(
        default=None,
        description="File that tells ingest workers of one machine that a search is under way; `up` names one.",
    )
    search_yield_s: Annotated[float, Field(ge=0, le=60)] = Field(
        default=0.05, description="Longest pause of ingest before an image while a search is under way."
    )

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

    @field_validator("extensions", "ignore", "ignore_defaults", "web_names", mode="before")
    @classmethod
    def _words(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(word.strip() for line in value.splitlines() for word in line.split(",") if word.strip())
        return value

    @field_validator("write_consistency_factor")
    @classmethod
    def _at_most_all_copies(cls, value: int | None, info: ValidationInfo) -> int | None:
        copies = info.data.get("replication_factor") or 1
        if value is not None and value > copies:
            raise ValueError(f"must not be above LOOKALIKE_REPLICATION_FACTOR, which is {copies}")
        return value

    @field_validator("quiet_hours")
    @classmethod
    def _hours(cls, value: str | None) -> str | None:
        if value is not None:
            QuietHours.parsed(value)
        return value

    @field_validator("web_host")
    @classmethod
    def _is_asked_for_a_secret(cls, value: str, info: ValidationInfo) -> str:
        if not is_loopback(value) and info.data.get("web_auth") is None:
            raise ValueError("the gallery listens beyond this machine only with LOOKALIKE_WEB_AUTH (user:password)")
        return value

    @field_validator("flower_auth", "qdrant_api_key", "redis_url", "target_api_key", "web_auth")
    @classmethod
    def _secret(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        checks = {
            "flower_auth": check_flower_auth,
            "qdrant_api_key": check_api_key,
            "redis_url": check_broker_url,
            "web_auth": check_web_auth,
            "target_api_key": check_api_key,
        }
        if value is not None:
            checks[str(info.field_name)](value.get_secret_value())
        return value

    @property
    def library_folder(self) -> Path | None:
        """The folder of the library; None if none is set, and for a library on object storage."""
        return self.library if isinstance(self.library, Path) else None

    @property
    def keys(self) -> Keys:
        """Queues and keys of this system."""
        return Keys(self.name)

    @property
    def quiet_span(self) -> QuietHours | None:
        """The quiet hours, if there are any."""
        return None if self.quiet_hours is None else QuietHours.parsed(self.quiet_hours)

    @property
    def processes(self) -> int:
        """Ingest processes of a machine with these settings."""
        return self.ingest_processes or os.cpu_count() or 1


def read_settings(**given: object) -> Settings:
    """Settings from the environment; what is given wins. Raises Misconfigured naming every fault at once.

    A variable that looks like a setting and is none is a fault: ignored, it would leave the default in force unseen.
    """
    unknown = [*unknown_variables(os.environ, map(variable_of, Settings.model_fields))]
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        wrong = [f"{variable_of(str(fault['loc'][0]))}: {fault['msg']}" for fault in error.errors()]
        # Not `from error`: its own text has the values, secrets included.
        raise _misconfigured(wrong + unknown) from None
    if unknown:
        raise _misconfigured(unknown)
    if settings.redis_url is None or settings.redis_password is None:
        return settings
    url = with_password(settings.redis_url.get_secret_value(), settings.redis_password.get_secret_value())
    return settings.model_copy(update={"redis_url": SecretStr(url)})


def service_settings() -> Settings:
    """Settings of a program that Celery loads; a fault ends it with one sentence, not with Celery's traceback."""
    try:
        return read_settings()
    except Misconfigured as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)


def variable_of(field: str) -> str:
    """Environment variable of a field: "settle_s" -> "LOOKALIKE_SETTLE_S"."""
    known = Settings.model_fields.get(field)
    if known is None:
        return field
    return str(known.validation_alias or f"LOOKALIKE_{field.upper()}")


def _misconfigured(faults: list[str]) -> Misconfigured:
    return Misconfigured(f"Settings are wrong: {'; '.join(faults)}. All settings are listed in docs/settings.md.")
