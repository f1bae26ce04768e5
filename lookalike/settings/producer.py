"""Settings of the producer: how changes are found, which files count, and how they are sent."""

from datetime import time
from typing import Annotated

from pydantic import Field

from lookalike.library.ignore_defaults import DEFAULT_IGNORE
from lookalike.settings.fields import Count, FromEnvironment, Seconds, Words

# What Pillow, libheif, LibRaw and libjxl open and people keep photos in. The content, not the name, decides the format.
EXTENSIONS = (
    "apng,arw,avif,bmp,cr2,cr3,crw,dds,dib,dng,gif,heic,heif,hif,ico,j2k,jfif,jp2,jpe,jpeg,jpf,jpg,jpx,jxl,mpo,nef,"
    "orf,pbm,pcx,pgm,pjpeg,png,pnm,ppm,psd,qoi,raf,rw2,sgi,tga,tif,tiff,webp"
)


class ProducerSettings(FromEnvironment):
    """From the library to the queue."""

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
