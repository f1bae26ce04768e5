"""`make rehearse`: builds every stage of the Dockerfile and runs the whole compose file, where no container engine is.

Needs root, debootstrap and, to build, a network. What stands in for what: a Debian for Python's image (image.py),
Debian's redis-server for the image of Redis, `edge/` for Qdrant, namespaces for the engine (container.py). The
commands, the environment, the users, the mounts, the health checks and the order of starting are those of the files.
"""

import base64
import ctypes
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

from examples.samples import EACH, MOTIFS, draw_samples
from tests.programs.rehearsal.container import HOSTS, Container, prepared
from tests.programs.rehearsal.faults import check_costs, try_faults
from tests.programs.rehearsal.image import Builder, Image, debian
from tests.programs.rehearsal.recipe import services_of, stages_of
from tests.support.edge import edge_command
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[3]
KEPT = ROOT / ".work" / "rehearsal"
INSIDE = "LOOKALIKE_REHEARSAL"
CLONE_NEWNET = 0x40000000
HEALTHY_WITHIN_S = 90.0
PICTURES = EACH * len(MOTIFS)
OURS = ("ingest", "search", "duplicates", "producer", "flower", "web")
# Flower answers without a broker.
WAITING = ("ingest", "search")
SERVERS_LATER_S = 15.0
MAX_LIMIT = 20

Tell = Callable[[str], None]


def main() -> int:
    """Exit code; the first thing that is not as it should be ends it with a sentence or a traceback."""
    if os.getuid() != 0 or shutil.which("debootstrap") is None:
        sys.stderr.write("A rehearsal needs root and debootstrap (Debian, Ubuntu: apt install debootstrap).\n")
        return 1
    if INSIDE not in os.environ:
        # Everything that is mounted ends with the process, and nothing within is ever deleted: only the empty folder.
        place = tempfile.mkdtemp()
        again = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m", "tests.programs.rehearsal"]
        try:
            return subprocess.run(again, env={**os.environ, INSIDE: place}, check=False).returncode
        finally:
            Path(place).rmdir()
    begun = time.monotonic()

    def tell(what: str) -> None:
        sys.stdout.write(f"{time.monotonic() - begun:6.1f} s  {what}\n")
        sys.stdout.flush()

    place = os.environ[INSIDE]
    subprocess.run(["mount", "-t", "tmpfs", "none", place], check=True)
    try:
        rehearse(Path(place), tell)
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"{error}\n{error.stdout or ''}{error.stderr or ''}\n")
        return 1
    tell("all as it should be")
    return 0


def rehearse(place: Path, tell: Tell) -> None:
    """Builds, starts, uses and stops everything."""
    (place / "photos").mkdir()
    draw_samples(place / "photos")
    # As on a host whose / is shared, which systemd makes it.
    subprocess.run(["mount", "--bind", str(place / "photos"), str(place / "photos")], check=True)
    subprocess.run(["mount", "--make-shared", str(place / "photos")], check=True)
    given = {"PHOTOS": str(place / "photos"), "FLOWER_AUTH": f"somebody:{secrets.token_hex(8)}"}
    given["WEB_AUTH"] = secrets.token_hex(16)
    given |= {"REDIS_PASSWORD": f"/#%'\"$ {secrets.token_hex(16)}", "QDRANT_API_KEY": secrets.token_hex(16)}
    # Settings, and an owner whose group has no name in the images.
    given |= {"LOOKALIKE_MAX_LIMIT": str(MAX_LIMIT), "LOOKALIKE_RESCAN_S": "20"}
    given |= {"LOOKALIKE_UID": "12345", "LOOKALIKE_GID": "54321"}
    # Without a profile, as compose starts them.
    every = services_of(ROOT / "docker-compose.yml", given)
    services = {name: each for name, each in every.items() if "profiles" not in each}
    stages = stages_of((ROOT / "deploy" / "Dockerfile").read_text("utf-8"))
    base = debian(KEPT, tell)
    builder = Builder(stages, base, ROOT, place / "stages", tell)
    images = {name: builder.build(said["build"]["target"]) for name, said in services.items() if "build" in said}
    ctypes.CDLL(None).unshare(CLONE_NEWNET)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    (place / "hosts").write_text(HOSTS)
    subprocess.run(["mount", "--bind", str(place / "hosts"), "/etc/hosts"], check=True)
    redis = Image([base], folder="/data")
    containers = {
        name: prepared(name, said, images.get(name, redis), place / "containers" / name)
        for name, said in services.items()
        if name != "qdrant"
    }
    try:
        for name in OURS:
            _require(not containers[name].is_healthy(), f"the check of {name} fails before it runs")
            containers[name].start()
        time.sleep(SERVERS_LATER_S)
        _require(not any(containers[name].is_healthy() for name in WAITING), "nothing is well without the servers")
        tell(f"{', '.join(OURS)} started {SERVERS_LATER_S:.0f} s before the servers, and wait")
        begin(containers["redis"], tell)
        with store(place / "store", given["QDRANT_API_KEY"], tell):
            for name in OURS:
                tell(f"{name} healthy after {containers[name].wait_healthy(HEALTHY_WITHIN_S):.1f} s")
                try_rights(containers[name])
            use(containers, given, place, tell)
            try_faults(containers, place, lambda words: host(words, broker_url(given), place), tell)
            for name, cost_ms in check_costs(containers).items():
                tell(f"a check of {name} takes {cost_ms:.1f} ms of CPU")
            for container in reversed(containers.values()):
                tell(f"{container.name} stopped in {container.stop():.1f} s")
    finally:
        # The servers last: without them the others would wait.
        for container in reversed(containers.values()):
            container.stop()


@contextmanager
def store(folder: Path, key: str, tell: Tell) -> Iterator[None]:
    """`edge/` under Qdrant's name, port and key. It has no /readyz: its own first answer has to do."""
    environment = {**os.environ, "QDRANT__SERVICE__API_KEY": key}
    server = subprocess.Popen(edge_command(folder, "--host", "qdrant", "--port", "6333"), cwd=ROOT, env=environment)
    try:
        wait_until(lambda: _answers(Request("http://qdrant:6333/")), HEALTHY_WITHIN_S)
        tell("qdrant (edge) answers")
        yield
    finally:
        server.terminate()
        server.wait(10)


def begin(container: Container, tell: Tell) -> None:
    """Starts a service whose check fails before and passes after."""
    _require(not container.is_healthy(), f"the check of {container.name} fails before it runs")
    container.start()
    tell(f"{container.name} healthy after {container.wait_healthy(HEALTHY_WITHIN_S):.1f} s")


def try_rights(container: Container) -> None:
    """Tries what a service of ours may not do."""
    user = str(container.service.get("user", container.image.user)).split(":")[0]
    _require(container.run("id", "-u").stdout.strip() == user != "0", f"{container.name} is not root")
    _require(container.run("touch", "/opt/x").returncode != 0, f"{container.name} cannot write in its image")
    rights = container.run("grep", "CapBnd", "/proc/self/status").stdout.split()[1]
    _require(int(rights, 16) == 0, f"{container.name} has no capabilities")


def use(containers: dict[str, Container], given: dict[str, str], place: Path, tell: Tell) -> None:
    """Searches from the host as the README says, asks Flower, looks for secrets where none may be."""
    url = broker_url(given)
    status = json.loads(host("status --wait --json", url, place))
    _require(status["indexed"] == PICTURES, f"{PICTURES} pictures are indexed: {status}")
    known = (status["library"], status["flower_url"])
    _require(known == ("/library", "http://127.0.0.1:5555"), f"status knows library and Flower: {known}")
    tell(f"{PICTURES} pictures indexed")
    found = json.loads(host("search photos/suns/suns-3.jpg --json", url, place))
    _require(found["neighbours"][0]["path"] == "suns/suns-3.jpg", "a search from the host finds the picture itself")
    tell(f"searched from the host: {found['neighbours'][0]['path']} {found['neighbours'][0]['score']:.3f}")
    refused = host(f"search photos/suns/suns-3.jpg -k {MAX_LIMIT + 1}", url, place, code=1)
    _require(f"at most {MAX_LIMIT}" in refused, f"a setting of .env reaches the search worker: {refused}")
    tell(f"a setting of .env reaches the search worker: {refused.strip()}")
    for name in ("ingest", "producer"):
        _require(containers[name].run("touch", "/library/x").returncode != 0, f"{name} cannot write in the library")
    api = Request("http://127.0.0.1:5555/api/tasks")
    _require(not _answers(api), "Flower's API refuses strangers")
    api.add_header("Authorization", f"Basic {base64.b64encode(given['FLOWER_AUTH'].encode()).decode()}")
    _require(_answers(api), "Flower's API answers who knows the password")
    tell("Flower refuses without, and answers with the password")
    hidden = [
        given["REDIS_PASSWORD"],
        given["QDRANT_API_KEY"],
        given["FLOWER_AUTH"].partition(":")[2],
        given["WEB_AUTH"],
    ]
    told = [container.said.read_text(errors="replace") for container in containers.values()]
    told += [path.read_bytes().decode(errors="replace") for path in _command_lines()]
    _require(not any(secret in text for secret in hidden for text in told), "no secret is in a log or an argument")
    _require(not any("SecurityWarning" in text for text in told), "nobody is taken for root")
    tell("no secret in a log or an argument")


def broker_url(given: dict[str, str]) -> str:
    """The broker as seen from the host."""
    return f"redis://:{quote(given['REDIS_PASSWORD'], safe='')}@127.0.0.1:6379/0"


def host(words: str, url: str, place: Path, code: int = 0) -> str:
    """What a command prints on the host, with nothing but the broker's URL; it must end with this exit code."""
    environment = {**os.environ, "REDIS_URL": url, "LOOKALIKE_DATA": str(place / "nothing")}
    command = [sys.executable, "-c", "from lookalike.cli import main; main()", *words.split()]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=120, check=False)
    _require(done.returncode == code, f"`lookalike {words}` ends with {code}: {done}")
    return done.stdout or done.stderr


def _command_lines() -> list[Path]:
    return [path for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]


def _answers(request: Request) -> bool:
    try:
        with urlopen(request, timeout=10):  # noqa: S310 (addresses of our own)
            return True
    except HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


def _require(is_so: Any, what: str) -> None:
    if not is_so:
        raise AssertionError(f"not so: {what}")


if __name__ == "__main__":
    sys.exit(main())
