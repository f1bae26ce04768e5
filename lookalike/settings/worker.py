"""Settings of the workers: what they compute with, and the bounds of their work."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from lookalike.settings.fields import Count, FromEnvironment, Seconds

Provider = Literal["auto", "cpu", "openvino", "cuda"]


class WorkerSettings(FromEnvironment):
    """Ingest, searches, and jobs for duplicates."""

    provider: Provider = Field(
        default="auto", description="What computes the embeddings: `cpu`, `openvino`, `cuda`, or the fastest here."
    )
    ingest_processes: Count | None = Field(default=None, description="Ingest processes; one per core if unset.")
    ingest_nice: Annotated[int, Field(ge=0, le=19)] = Field(
        default=10, description="Niceness of ingest processes: 0 competes with everything, 19 yields to everything."
    )
    ingest_idle_s: Seconds = Field(
        default=600.0,
        description="Seconds without work after which ingest gives up its model and all processes but one.",
    )
    search_idle_s: Seconds = Field(
        default=600.0, description="Seconds without a search after which searches give up the memory of their model."
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
        default=20.0, description="Seconds of silence after which other workers take over what a worker holds."
    )
    search_timeout_s: Seconds = Field(default=30.0, description="Seconds after which a search is of no use any more.")
    search_lock: Path | None = Field(
        default=None,
        description="File that tells ingest workers of one machine that a search is under way; `up` names one.",
    )
    search_yield_s: Annotated[float, Field(ge=0, le=60)] = Field(
        default=0.05, description="Longest pause of ingest before an image while a search is under way."
    )
