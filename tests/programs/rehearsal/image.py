"""Builds the stages of the Dockerfile without an engine: each is a layer of files over its parent's, by overlayfs.

It runs as root in a mount namespace of its own, so that nothing stays mounted. Python's official image cannot be had
here; a Debian of the same release with Debian's own Python of the same version stands in for it.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.programs.rehearsal.recipe import Stage, command_of, words_of

DEBIAN = "http://deb.debian.org/debian"
RELEASE = "trixie"
PACKAGES = "python3,python3-venv,ca-certificates,redis-server"
PLAIN = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
DEVICES = ("null", "zero", "full", "random", "urandom")
# What this machine needs to reach an index; the images know nothing of it.
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
OUTSIDE = ("/etc/resolv.conf", CERTIFICATES)
TRUST = {"SSL_CERT_FILE": CERTIFICATES, "PIP_CERT": CERTIFICATES}


@dataclass(frozen=True)
class Image:
    """A built stage: layers from top to bottom, and how a container of it starts."""

    layers: list[Path]
    environment: dict[str, str] = field(default_factory=lambda: dict(PLAIN))
    folder: str = "/"
    user: str = "0:0"
    command: list[str] = field(default_factory=list)


def debian(place: Path, tell: Callable[[str], None]) -> Path:
    """A Debian in a folder that plays `python:3.13-slim-trixie`; made once by debootstrap."""
    root = place / RELEASE
    if not (place / f"{RELEASE}.made").exists():
        tell(f"debootstrap {RELEASE} (once, a minute or two)")
        shutil.rmtree(root, ignore_errors=True)
        place.mkdir(parents=True, exist_ok=True)
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", RELEASE, str(root), DEBIAN]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        # The official image has its Python there, with pip, and nothing of Debian's beside it.
        subprocess.run(["chroot", str(root), "python3", "-m", "venv", "/usr/local"], check=True)
        (place / f"{RELEASE}.made").touch()
    # As in the image of Redis.
    subprocess.run(["chroot", str(root), "install", "-d", "-o", "redis", "-g", "redis", "/data"], check=True)
    for file in OUTSIDE:
        shutil.copyfile(file, root / file.lstrip("/"))
    return root


class Builder:
    """Builds stages on demand, each once."""

    def __init__(
        self, stages: Mapping[str, Stage], base: Path, context: Path, work: Path, tell: Callable[[str], None]
    ) -> None:
        self._stages, self._base, self._context, self._work, self._tell = stages, base, context, work, tell
        self._built: dict[str, Image] = {}

    def build(self, name: str) -> Image:
        """The image of a stage, or of what comes from outside."""
        if name not in self._stages:
            return Image([self._base])
        if name not in self._built:
            self._built[name] = self._made(self._stages[name])
        return self._built[name]

    def _made(self, stage: Stage) -> Image:
        parent = self.build(stage.parent)
        upper, folder, user, command = self._work / stage.name / "files", parent.folder, parent.user, parent.command
        environment = dict(parent.environment)
        root = mounted(parent.layers, self._work / stage.name)
        for word, text in stage.instructions:
            self._tell(f"{stage.name}: {word} {' '.join(text.split())[:100]}")
            match word:
                case "WORKDIR":
                    folder = text
                    (root / folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
                case "ENV":
                    environment |= dict(pair.split("=", 1) for pair in words_of(text, environment))
                case "USER":
                    user = text
                case "CMD":
                    command = command_of(text)
                case "COPY":
                    self._copy(words_of(text, environment), root, folder)
                case "RUN":
                    subprocess.run(
                        ["chroot", str(root), "sh", "-c", f"cd {folder} && {text}"],
                        env={**environment, **TRUST}, check=True, capture_output=True, text=True,
                    )  # fmt: skip
                case _:
                    raise ValueError(f"an instruction that is not known here: {word}")
        return Image([upper, *parent.layers], environment, folder, user, command)

    def _copy(self, words: list[str], root: Path, folder: str) -> None:
        """COPY, as far as it is used: of files, of whole folders, from another stage."""
        *sources, target = words
        came_from = self._context
        if sources[0].startswith("--from="):
            stage = sources.pop(0).removeprefix("--from=")
            came_from = mounted(self.build(stage).layers, self._work / f"from-{stage}-{os.urandom(4).hex()}")
        into = root / os.path.normpath(Path(folder, target)).lstrip("/")
        for source in sources:
            there = came_from / source.lstrip("/")
            if there.is_dir():
                ignored = shutil.ignore_patterns("__pycache__") if came_from == self._context else None
                shutil.copytree(there, into, symlinks=True, dirs_exist_ok=True, ignore=ignored)
            else:
                into = into / there.name if len(sources) > 1 or target.endswith("/") else into
                into.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(there, into)
                into = into.parent if len(sources) > 1 else into


def mounted(layers: list[Path], place: Path) -> Path:
    """The layers as one root folder that can be written; what is written goes to `place/files`."""
    names = {name: place / name for name in ("files", "work", "root")}
    for folder in names.values():
        folder.mkdir(parents=True, exist_ok=True)
    lower = ":".join(map(str, layers))
    options = f"lowerdir={lower},upperdir={names['files']},workdir={names['work']}"
    root = names["root"]
    _mount("overlay", root, options)
    for kind, inside in (("proc", "proc"), ("tmpfs", "tmp"), ("tmpfs", "dev")):
        (root / inside).mkdir(exist_ok=True)
        _mount(kind, root / inside)
    for device in DEVICES:
        (root / "dev" / device).touch()
        subprocess.run(["mount", "--bind", f"/dev/{device}", str(root / "dev" / device)], check=True)
    (root / "dev/shm").mkdir()
    (root / "dev/shm").chmod(0o1777)
    return root


def _mount(kind: str, place: Path, options: str | None = None) -> None:
    subprocess.run(["mount", "-t", kind, kind, *(["-o", options] if options else []), str(place)], check=True)
