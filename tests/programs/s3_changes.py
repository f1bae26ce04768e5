"""Whether a library on object storage agrees after faults: `python -m tests.programs.s3_changes --keys 10000`.

Indexes so many objects of a real S3 API with a small model, makes random changes while the store throttles, fails, cuts
listings, denies, breaks off and is slow, and compares what is then in the bucket with what is in the index. Prints
bytes and requests, and the most memory of producer and worker; exit code 1 if anything is lost, a ghost or wrong.
"""

import argparse
import hashlib
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from lookalike import Client
from lookalike.library.address import BucketAddress
from tests.local.conftest import Machine
from tests.programs.chaos.judging import MAX_PIXELS, MIN_COSINE, PAGE
from tests.programs.s3_world import EVENTS, FAULTS, PREFIX, World, content
from tests.support.faulty.faulty_store import Faults, faulty_store
from tests.support.lean_system import lean_system
from tests.support.object_store import Bucket, access, object_store
from tests.support.stores import store_of
from tests.support.tiny_model import tiny_model
from tests.support.waiting import wait_until
from worker.inference.decoder import decode_image, enable_formats
from worker.inference.embedder import Embedder

PATIENCE_S = 1800.0
# Changes between two kinds of faults, and how long one of them lasts at least.
STEP, FAULT_S = 25, 2.0


def _embedded(embedder: Embedder, blob: bytes) -> "np.typing.NDArray[np.float32]":
    rows = embedder.describe([decode_image(blob, embedder.card, max_pixels=MAX_PIXELS).pixels])["embedding"]
    return np.asarray(rows[0], np.float32)


def judged(world: World, model: Path) -> dict[str, list[str]]:
    """Paths that are lost, ghosts or wrong: by the hash of the content, and by its vector computed once more."""
    assert world.machine.running is not None
    enable_formats()
    embedder = Embedder(model, inference_batch=1)
    found: dict[str, list[str]] = {"lost": [], "ghosts": [], "wrong": []}
    missing = dict(world.there)
    with closing(store_of(world.machine.running)) as store:
        after = None
        while True:
            records, after = store.scroll("lookalike", limit=PAGE, offset=after, with_vectors=["image"])
            for record in records:
                payload, vectors = record.payload or {}, record.vector
                seed = missing.pop(payload["path"], None)
                if seed is None:
                    found["ghosts"].append(payload["path"])
                    continue
                blob = content(seed)
                vector = np.array(vectors["image"] if isinstance(vectors, dict) else [], np.float32)
                is_same = payload.get("sha256") == hashlib.sha256(blob).hexdigest() and vector.size > 0
                if not is_same or float(np.vdot(_embedded(embedder, blob), vector)) < MIN_COSINE * np.linalg.norm(
                    vector
                ):
                    found["wrong"].append(payload["path"])
            if after is None:
                found["lost"] = sorted(missing)
                return found


def measured(world: World) -> dict[str, Counter[str]]:
    """What the store was asked for so far."""
    return {"requests": Counter(world.store.seen.requests), "bytes": Counter(world.store.seen.body_bytes)}


def peaks_mib(machine: Machine) -> dict[str, int]:
    """The most memory that a process of each part had at once."""
    found: dict[str, int] = {}
    for pid, command in machine.processes().items():
        part = next(
            (part for part, word in (("producer", "producer"), ("worker", "ingest@")) if word in " ".join(command)),
            None,
        )
        if part is None:
            continue
        lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
        kib = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
        found[part] = max(found.get(part, 0), kib // 1024)
    return found


def say(text: str) -> None:
    """A line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _run(world: World, client: Client, model: Path, given: argparse.Namespace) -> int:
    begun_s = time.monotonic()
    wait_until(lambda: client.status().is_done and client.status().indexed == given.keys, PATIENCE_S, every_s=0.5)
    took_s, seen = time.monotonic() - begun_s, measured(world)
    say(f"indexed: {given.keys} keys in {took_s:.0f} s, {given.keys / took_s:.0f}/s, by {given.processes} processes")
    share = 1000 / given.keys
    say(f"requests per 1,000 keys: {', '.join(f'{n * share:.0f} {kind}' for kind, n in seen['requests'].items())}")
    size = sum(len(content(seed)) for seed in world.there.values()) / given.keys
    say(f"bytes read per image: {seen['bytes']['GET'] / given.keys:.0f}, of an image of {size:.0f}")
    say(f"bytes of listings per key: {seen['bytes']['LIST'] / given.keys:.0f}")
    _scan_at_rest(world, share)
    for step in range(0, given.changes, STEP):
        faults = FAULTS[step // STEP % len(FAULTS)]
        with _broken(world.store.faults, faults):
            for _ in range(min(STEP, given.changes - step)):
                world.change()
                time.sleep(FAULT_S / STEP)
    say(f"changed: {given.changes}, faults made: {dict(world.store.seen.faults)}")
    before = world.scans()
    world.tell()
    # The scan that runs may have begun before the last change.
    wait_until(lambda: world.scans() >= before + 2, PATIENCE_S, every_s=0.5)
    wait_until(lambda: client.status().is_done, PATIENCE_S, every_s=0.5, told=lambda: client.status().what_is_left())
    found = judged(world, model)
    say(f"peak MiB: {peaks_mib(world.machine)}")
    say(f"compared {len(world.there)}: " + ", ".join(f"{kind} {len(paths)}" for kind, paths in found.items()))
    for kind, paths in found.items():
        say("\n".join(f"{kind}: {path}" for path in paths[:20])) if paths else None
    return 1 if any(found.values()) else 0


def _scan_at_rest(world: World, share: float) -> None:
    before = world.scans()
    world.tell()
    wait_until(lambda: world.scans() > before, PATIENCE_S, every_s=0.2)
    seen, before = measured(world), world.scans()
    world.tell()
    wait_until(lambda: world.scans() > before, PATIENCE_S, every_s=0.2)
    asked = measured(world)["requests"] - seen["requests"]
    say(f"a scan without changes, per 1,000 keys: {', '.join(f'{n * share:.1f} {kind}' for kind, n in asked.items())}")


@contextmanager
def _broken(faults: Faults, by: Mapping[str, object]) -> Iterator[None]:
    for name, value in by.items():
        setattr(faults, name, value)
    yield
    faults.heal()


def main() -> int:
    """Runs it and prints the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.programs.s3_changes", description=__doc__)
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--changes", type=int, default=500)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, object_store() as url, faulty_store(url) as store:
        machine = Machine(Path(folder))
        world = World(Bucket(url, "photos"), store, machine, random.Random(given.seed))
        world.bucket.make()
        world.fill(given.keys)
        say(f"written: {given.keys} keys")
        model = tiny_model(machine.tmp_path / "tiny.onnx", copies=True)
        settings = {
            "LOOKALIKE_MODEL": str(model),
            "LOOKALIKE_INGEST_PROCESSES": str(given.processes),
            "LOOKALIKE_RESCAN_S": "2",
            "LOOKALIKE_BUCKET_EVENTS": EVENTS,
            "LOOKALIKE_BUCKET_RETRY_S": "5",
        }
        try:
            machine.start(
                lean_system(machine.folder.root, BucketAddress(f"s3://photos/{PREFIX}")),
                **access(store.url),
                **settings,
            )
            with Client(data=machine.folder.root) as client:
                return _run(world, client, model, given)
        finally:
            machine.clear()


if __name__ == "__main__":
    sys.exit(main())
