"""Downloads a published ONNX model and makes a model file of the contract from it. Needs onnx, no torch.

    python -m models.fetch resnet50 [--into FOLDER]

The download shows its progress, goes on where it was cut off, and is compared with the hub's SHA-256.
"""

import argparse
import hashlib
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.contract import ContractBroken, ModelCard

HUB = "https://huggingface.co"
READ_AT_ONCE_BYTES = 1 << 20
INSTALL = "Install what fetching needs: pip install 'lookalike[fetch]'"


@dataclass(frozen=True)
class Published:
    """One model on the hub: where it lies, and what its file cannot say of itself."""

    repository: str
    file: str
    dimension: int
    licence: str


PUBLISHED = {
    # The one fastembed uses (fastembed/image/onnx_embedding.py, which states dimension and licence).
    "resnet50": Published("Qdrant/resnet50-onnx", "model.onnx", 2048, "Apache-2.0"),
}


class NotFetched(ValueError):
    """The file did not arrive, or is not the one the hub speaks of. Run the same command again: it goes on."""


def fetch(name: str, into: Path, *, hub: str = HUB) -> ModelCard:
    """Downloads, checks and wraps the model called `name`; the model file is `into`/`name`.onnx.

    Raises KeyError for an unknown name, NotFetched without network or with a wrong checksum (what was received
    so far stays in `into`/.download, for the next attempt), and ContractBroken if the published file has changed.
    """
    # Here and not above, as in download(): these need onnx, which a machine that only searches has no use for.
    try:
        from models.tools.metadata import Origin  # noqa: PLC0415
        from models.tools.wrap import wrap  # noqa: PLC0415
    except ImportError as error:
        raise NotFetched(f"{error.name} is missing. {INSTALL}") from error

    published = PUBLISHED[name]
    parts = into / ".download" / name
    downloaded = download(published, parts, hub=hub)
    card = wrap(
        downloaded,
        into / f"{name}.onnx",
        Origin(name, f"{HUB}/{published.repository}", published.licence),
        published.dimension,
    )
    shutil.rmtree(parts)
    return card


def download(published: Published, into: Path, *, hub: str) -> Path:
    """The published file, complete and with the right checksum, somewhere below `into`."""
    try:
        import huggingface_hub as hub_client  # noqa: PLC0415
    except ImportError as error:
        raise NotFetched(f"{error.name} is missing. {INSTALL}") from error

    url = hub_client.hf_hub_url(published.repository, published.file, endpoint=hub)
    try:
        stated = hub_client.get_hf_file_metadata(url, endpoint=hub).etag
        path = Path(hub_client.hf_hub_download(published.repository, published.file, local_dir=into, endpoint=hub))
    except Exception as error:  # the client's and its HTTP library's errors have no base in common
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise NotFetched(f"{url} could not be downloaded ({reason}): try again, it goes on where it was") from error
    # The hub's ETag of a large file is its SHA-256; anything else would be a small file or another server.
    if stated is None or re.fullmatch(r"[0-9a-f]{64}", stated) is None:
        path.unlink()
        raise NotFetched(f"{url} comes without a SHA-256, so it cannot be checked: is {hub} the right hub?")
    found = sha256_of(path)
    if found != stated:
        path.unlink()
        raise NotFetched(f"{url} has SHA-256 {found[:12]}... and must have {stated[:12]}...: try again")
    return path


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in lower-case hexadecimal, read 1 MiB at a time."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(READ_AT_ONCE_BYTES):
            digest.update(block)
    return digest.hexdigest()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line above; exit code 1 with one sentence when nothing was fetched."""
    parser = argparse.ArgumentParser(
        prog="python -m models.fetch", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=sorted(PUBLISHED))
    parser.add_argument("--into", type=Path, default=Path(__file__).parents[1], help="folder of the model file")
    parser.add_argument("--hub", default=HUB, help="address of the hub or of a mirror")
    given = parser.parse_args(arguments)
    try:
        card = fetch(given.name, given.into, hub=given.hub)
    except (NotFetched, ContractBroken, OSError) as error:
        print(f"not fetched: {error}", file=sys.stderr)
        return 1
    print(f"fetched {given.into / given.name}.onnx dimension={card.dimension} fingerprint={card.fingerprint[:12]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
