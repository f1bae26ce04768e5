"""A library on object storage: the whole system on a real S3 API behind a server that makes faults."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from PIL import Image
from redis import Redis

from lookalike import Client, Example
from lookalike.cli.commands.evaluate import evaluate
from lookalike.cli.commands.index import sync
from lookalike.cli.options.keep import PlanFiles
from lookalike.errors import Refused
from lookalike.library.address import BucketAddress
from lookalike.library.opening import asked_library
from lookalike.verify import Verification
from lookalike.verify_client import ClientIndex
from tests.local.conftest import Machine
from tests.support.faulty.faulty_store import FaultyStore, faulty_store
from tests.support.lean_system import lean_system
from tests.support.object_store import KEY_ID, SECRET_KEY, Bucket, access, object_store
from tests.support.pictures import encoded, picture
from tests.support.tiny_model import tiny_model
from tests.support.waiting import wait_until

PICTURES = 12
PATIENCE_S = 60.0
EVENTS = "bucket-events"
SETTINGS = {
    "LOOKALIKE_INGEST_PROCESSES": "1",
    "LOOKALIKE_RESCAN_S": "3600",
    "LOOKALIKE_BUCKET_RETRY_S": "1",
    "LOOKALIKE_BUCKET_EVENTS": EVENTS,
    "LOOKALIKE_MAX_DELETED_FILES": "1000",
}


@dataclass(frozen=True)
class Site:
    """A running system, its bucket, and what stands between."""

    machine: Machine
    bucket: Bucket
    store: FaultyStore
    client: Client

    @property
    def address(self) -> str:
        return f"s3://{self.bucket.name}/2026"

    def put(self, path: str, seed: int) -> None:
        self.bucket.put(f"2026/{path}", encoded(picture(seed)))

    def paths(self) -> set[str]:
        return {file.path for file in self.client.list()}

    def tell(self, message: object) -> None:
        """A notification; one that is not understood asks for a scan."""
        assert self.machine.running is not None
        with Redis.from_url(self.machine.running.redis_url) as redis:
            redis.rpush(EVENTS, json.dumps(message))

    def at_rest_with(self, paths: set[str]) -> None:
        """Once a scan has found what changed."""
        self.tell("look")
        wait_until(
            lambda: self.client.status().is_done and self.paths() == paths,
            PATIENCE_S,
            told=lambda: (self.paths() ^ paths, self.client.status().warning),
            every_s=0.1,
        )

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        name, *rest = words
        command = lookalike(name, "--data", str(self.machine.folder.root), *rest)
        environment = self.machine.environment(**access(self.store.url))
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def lookalike(*words: str) -> list[str]:
    return [sys.executable, "-c", "from lookalike.cli import main; main()", *words]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    machine = Machine(tmp_path_factory.mktemp("bucket"))
    model = tiny_model(machine.tmp_path / "tiny.onnx", copies=True)
    with object_store() as url, faulty_store(url) as store, pytest.MonkeyPatch.context() as patched:
        for name, value in access(store.url).items():
            patched.setenv(name, value)
        bucket = Bucket(url, "photos")
        bucket.make()
        for seed in range(PICTURES):
            bucket.put(f"2026/{seed}.png", encoded(picture(seed)))
        bucket.put("2026/notes.txt", b"no picture")
        bucket.put("2026/broken.jpg", b"this is no picture")
        command = lean_system(machine.folder.root, BucketAddress("s3://photos/2026"), "web")
        try:
            machine.start(command, LOOKALIKE_MODEL=str(model), **SETTINGS)
            with Client(data=machine.folder.root) as client:
                wait_until(lambda: client.status().is_done and client.status().indexed == PICTURES, PATIENCE_S)
                yield Site(machine, bucket, store, client)
        finally:
            machine.clear()


@pytest.fixture(autouse=True)
def _healthy(site: Site) -> Iterator[None]:
    yield
    site.store.faults.heal()


def test_it_is_found_by_its_address_and_results_carry_it(site: Site, tmp_path: Path) -> None:
    assert site.client.status().library == site.address
    assert f"Library  {site.address}" in site.machine.output.read_text()

    shown = site.run("search", f"{site.address}/3.png", "--paths", "-k", "2", "--sheet", str(tmp_path / "sheet.png"))

    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines()[0] == f"{site.address}/3.png"
    assert all(line.startswith(f"{site.address}/") for line in shown.stdout.splitlines())
    # Without the library a sheet has names on grey.
    colours = Image.open(tmp_path / "sheet.png").convert("RGB").getcolors(10**7)
    assert colours is not None
    assert len(colours) > 1000


def test_one_object_or_all_of_them_are_indexed_at_once(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.client.sync([f"{site.address}/3.png"]).result(20).unchanged == 1

    sync(paths=[Path(site.address)], data=site.machine.folder.root, json=True)

    assert json.loads(capsys.readouterr().out)["unchanged"] == PICTURES + 1


def test_a_part_of_an_object_is_searched_for(site: Site) -> None:
    found = site.client.search(Example("3.png", box=(0.0, 0.0, 0.9, 0.9)), limit=3).result(timeout_s=20)

    assert len(found) == 3


def test_the_gallery_shows_thumbnails_and_originals_and_takes_no_upload(site: Site) -> None:
    assert site.machine.running is not None
    wait_until(lambda: _answers(f"{site.machine.running.web_url}/healthz"), 60.0)  # type: ignore[union-attr]
    with httpx.Client(base_url=f"{site.machine.running.web_url}/api/v1", trust_env=False, timeout=20) as http:
        original = http.get("/files/3.png")
        small = http.get("/thumbnails/3.png", params={"side_px": 128})
        refused = http.post("/images", files={"image": ("new.png", encoded(picture(99)))})
        ignored = http.get("/ignored").json()["ignored"]

    assert (original.content, original.headers["content-type"]) == (encoded(picture(3)), "image/png")
    assert max(Image.open(io.BytesIO(small.content)).size) <= 128
    assert (refused.status_code, "which is only read here" in refused.json()["detail"]) == (422, True)
    assert ignored == [{"path": "notes.txt", "rule": "LOOKALIKE_EXTENSIONS"}]


def test_verify_agrees_also_by_the_vectors(site: Site) -> None:
    asked = site.store.seen.requests.copy()
    with asked_library(site.client.settings) as library:
        found = Verification(library, ClientIndex(site.client, ("embedding", "copy")), deep=5).run()

    assert found.numbers() == {"lost": 0, "ghosts": 0, "stale": 0, "rejected": 1, "pending": 0}
    assert (found.checked, found.wrong.count) == (5, 0)
    # Of 13 files only the five that are embedded again are asked for by name, and the ignore file.
    assert (site.store.seen.requests - asked)["GET"] == 6


def test_what_needs_a_folder_is_refused_in_one_sentence(site: Site, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="this library is a bucket: copy some of it into a folder"):
        evaluate(photos=5, data=site.machine.folder.root, json=True)
    with pytest.raises(Refused, match="this library is a bucket: write a plan with --plan"):
        PlanFiles(None, tmp_path / "plan.sh").check(site.client.settings)
    with pytest.raises(Refused, match="is not an object of the library"):
        site.client.search("s3://others/a.png")


def test_changes_are_found_and_a_move_costs_no_inference(site: Site) -> None:
    before = site.paths()
    embedded = site.client.status().embedded_total
    site.bucket.move("2026/0.png", "2026/moved/0.png")
    site.bucket.delete("2026/1.png")
    site.at_rest_with((before - {"0.png", "1.png"}) | {"moved/0.png"})
    assert site.client.status().embedded_total == embedded

    site.put("2.png", 200)
    site.put("new one+é.png", 201)
    site.at_rest_with((before - {"0.png", "1.png"}) | {"moved/0.png", "new one+é.png"})
    wait_until(lambda: site.client.status().embedded_total == embedded + 2, PATIENCE_S)


def test_refused_keys_and_empty_or_cut_listings_remove_nothing(site: Site) -> None:
    before, faults = site.paths(), site.store.faults
    faults.denied = "ExpiredToken"
    site.tell("look")
    wait_until(lambda: site.client.status().state == "offline", PATIENCE_S)
    assert "with the keys that are set (ExpiredToken): give valid ones; nothing is removed" in str(
        site.client.status().warning
    )
    faults.empty_listings, faults.denied = True, ""
    wait_until(lambda: "is empty" in str(site.client.status().warning), PATIENCE_S)
    faults.heal()
    site.at_rest_with(before)

    site.bucket.delete("2026/3.png")
    faults.cut_listings = 1.0
    site.at_rest_with(before - {"3.png"})
    assert site.store.seen.faults["cut"] > 0


def test_a_notification_brings_what_a_scan_would_bring_later(site: Site) -> None:
    assert site.machine.running is not None
    before = site.paths()
    # No scan can find it.
    site.store.faults.failing_listings = True
    site.tell("look")
    wait_until(lambda: site.client.status().state == "offline", PATIENCE_S)
    site.put("told.png", 300)
    record = {
        "eventName": "s3:ObjectCreated:Put",
        "s3": {"bucket": {"name": site.bucket.name}, "object": {"key": "2026%2Ftold.png"}},
    }
    site.tell([{"Event": [record], "EventTime": "2026-11-30T05:00:00Z"}])

    wait_until(lambda: site.paths() == before | {"told.png"}, PATIENCE_S, every_s=0.1)
    site.store.faults.heal()
    site.at_rest_with(before | {"told.png"})


def test_no_key_is_in_logs_messages_status_or_files(site: Site) -> None:
    assert site.machine.running is not None
    texts = {str(file): file.read_bytes() for file in site.machine.folder.root.rglob("*") if file.is_file()}
    texts["output"] = site.machine.output.read_bytes()
    texts["status"] = json.dumps(site.client.status().model_dump()).encode()
    with Redis.from_url(site.machine.running.redis_url) as redis:
        texts |= {key.decode(): redis.dump(key) or b"" for key in redis.scan_iter()}

    assert [name for name, text in texts.items() if KEY_ID.encode() in text or SECRET_KEY.encode() in text] == []


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.HTTPError:
        return False
