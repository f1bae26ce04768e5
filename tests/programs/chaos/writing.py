"""Does to a folder what people and their programs do, by a seed: writes slowly, renames, deletes, moves, copies."""

import hashlib
import os
import random
import shutil
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.pictures import encoded, picture

KINDS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp", "GIF": "gif", "BMP": "bmp", "TIFF": "tiff"}
SIZES_PX = ((64, 48), (48, 64), (200, 150), (33, 90))
ODD_NAMES = ("café", "[bold]", "new\nline", "名前", "a b", "'quoted\"", "caf\udce9", "-rf", "x" * 200, "%41", "\\x41")
# A scan that would remove more than 30 % asks a person first; nothing here may come near it.
MOST_LEAVING_SHARE = 0.05


@dataclass
class Unfinished:
    """A file of which more is to come."""

    path: Path
    pieces: list[bytes]
    next_at_s: float
    pause_s: float


@dataclass
class Writer:
    """Writes below `root`; folders that leave for a while go to `outside`. Knows what it wrote, not what is left."""

    root: Path
    outside: Path
    chance: random.Random
    burst_files: int
    files_written: int = 0
    # How many of them came in bursts.
    files_in_bursts: int = 0
    # SHA-256 of everything that can be decoded and was whole at some time.
    contents: set[str] = field(default_factory=set)
    done: Counter[str] = field(default_factory=Counter)
    _paths: list[Path] = field(default_factory=list)
    _folders: list[Path] = field(default_factory=list)
    _unfinished: list[Unfinished] = field(default_factory=list)
    _away: list[tuple[Path, Path, float]] = field(default_factory=list)
    _serial: int = 0

    def __post_init__(self) -> None:
        self._seed = self.chance.randrange(2**32)
        self.outside.mkdir(exist_ok=True)
        self._doings = {
            self._write: 30,
            self._write_folder: 6,
            self._write_slowly: 8,
            self._write_half: 5,
            self._write_garbage: 4,
            self._write_aside: 6,
            self._write_other: 2,
            self._write_oddly_named: 2,
            self.burst: 0.3,
            self._rewrite: 12,
            self._touch: 3,
            self._rename: 10,
            self._swap: 3,
            self._copy: 6,
            self._link: 1,
            self._delete: 10,
            self._move_folder: 2,
            self._delete_folder: 1,
            self._send_folder_away: 1,
        }

    def step(self) -> None:
        """Does one thing."""
        (doing,) = self.chance.choices(list(self._doings), list(self._doings.values()))
        # What was chosen may have left with its folder.
        with suppress(FileNotFoundError, NotADirectoryError, FileExistsError, IsADirectoryError):
            doing()
            self.done[doing.__name__.strip("_")] += 1

    def go_on(self) -> None:
        """Writes more of what is unfinished and brings back what was away long enough."""
        now_s = time.monotonic()
        for file in [file for file in self._unfinished if file.next_at_s <= now_s]:
            self._write_more(file)
            if not file.pieces:
                self._unfinished.remove(file)
        for there, back, at_s in [left for left in self._away if left[2] <= now_s]:
            self._away.remove((there, back, at_s))
            with suppress(OSError):
                there.rename(back)

    def finish(self) -> None:
        """Completes everything at once."""
        while self._unfinished:
            file = self._unfinished.pop()
            while file.pieces:
                self._write_more(file)

    def burst(self) -> None:
        """Fills a new folder with many files, as fast as it can."""
        folder = self._new_folder()
        for _ in range(self.burst_files):
            self._put(folder / self._new_name(), self._content())
        self.files_in_bursts += self.burst_files

    def _write(self) -> None:
        self._put(self._new_path(), self._content())

    def _write_folder(self) -> None:
        folder = self._new_folder()
        for _ in range(self.chance.randrange(2, 20)):
            self._put(folder / self._new_name(), self._content())

    def _write_slowly(self) -> None:
        content, path = self._content(), self._new_path()
        cuts = sorted(self.chance.sample(range(len(content)), self.chance.randrange(1, 6)))
        pieces = [content[start:end] for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True)]
        self._put(path, pieces.pop(0))
        self._unfinished.append(Unfinished(path, pieces, time.monotonic(), self.chance.uniform(0.05, 0.6)))

    def _write_half(self) -> None:
        """Looks finished for longer than any settling; one in four stays as it is."""
        content, path = self._content(), self._new_path()
        half = len(content) * 2 // 3
        self._put(path, content[:half])
        if self.chance.random() < 0.75:
            wait_s = self.chance.uniform(1, 6)
            self._unfinished.append(Unfinished(path, [content[half:]], time.monotonic() + wait_s, 0))

    def _write_garbage(self) -> None:
        content = self._content(counts=False)
        broken = (b"", self.chance.randbytes(500), content[:100], b"<html>404</html>", content[::-1])
        self._put(self._new_path(), self.chance.choice(broken))

    def _write_aside(self) -> None:
        """As careful programs do: under another name first, then renamed, often over a file that was there."""
        path = self._any_path() if self._paths and self.chance.random() < 0.7 else self._new_path()
        aside = path.with_name(f"{path.name[:100]}.part")
        aside.write_bytes(self._content())
        aside.rename(path)
        self._wrote(path)

    def _write_other(self) -> None:
        name = self.chance.choice(("notes.txt", ".hidden.png", "film.mp4", "Thumbs.db", "x.jpg.crdownload"))
        (self._any_folder() / name).write_bytes(self._content(counts=False))

    def _write_oddly_named(self) -> None:
        path = self._any_folder() / f"{self.chance.choice(ODD_NAMES)} {self._serial % 50}.png"
        self._put(path, self._content())

    def _rewrite(self) -> None:
        self._put(self._any_path(), self._content())

    def _touch(self) -> None:
        path = self._any_path()
        at_s = time.time() - self.chance.choice((0, 0, 3600, 10**8))
        os.utime(path, (at_s, at_s))

    def _rename(self) -> None:
        old = self._any_path()
        new = self._new_path() if self.chance.random() < 0.8 else old.with_name(old.name.swapcase())
        self._move(old, new)

    def _swap(self) -> None:
        one, other = self._any_path(), self._any_path()
        aside = one.with_name(f".{self._serial}.swap")
        one.rename(aside)
        with suppress(OSError):
            other.rename(one)
        aside.rename(other)

    def _copy(self) -> None:
        old, new = self._any_path(), self._new_path()
        (shutil.copy2 if self.chance.random() < 0.5 else shutil.copy)(old, new)
        self._wrote(new)

    def _link(self) -> None:
        old, new = self._any_path(), self._new_path()
        if self.chance.random() < 0.5:
            new.hardlink_to(old)
        else:
            new.symlink_to(old)
        self._paths.append(new)

    def _delete(self) -> None:
        path = self._any_path()
        path.unlink()
        self._paths.remove(path)

    def _move_folder(self) -> None:
        old, into = self._any_folder(), self._any_folder()
        if not into.is_relative_to(old):
            self._move_all(old, into / self._folder_name())

    def _delete_folder(self) -> None:
        folder = self._folder_that_may_leave()
        shutil.rmtree(folder)
        self._forget(folder)

    def _send_folder_away(self) -> None:
        folder = self._folder_that_may_leave()
        there = self.outside / self._folder_name()
        folder.rename(there)
        self._forget(folder)
        if self.chance.random() < 0.8:
            back = folder if self.chance.random() < 0.5 else self._any_folder() / self._folder_name()
            self._away.append((there, back, time.monotonic() + self.chance.uniform(0.2, 8)))

    def _content(self, *, counts: bool = True) -> bytes:
        self._serial += 1
        kind = self.chance.choice(list(KINDS))
        content = encoded(picture(self._seed + self._serial, self.chance.choice(SIZES_PX)), kind)
        if counts:
            self.contents.add(hashlib.sha256(content).hexdigest())
        return content

    def _put(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        self._wrote(path)

    def _wrote(self, path: Path) -> None:
        self.files_written += 1
        self._paths.append(path)

    def _write_more(self, file: Unfinished) -> None:
        with suppress(OSError), file.path.open("r+b") as stream:
            stream.seek(0, os.SEEK_END)
            stream.write(file.pieces[0])
        del file.pieces[0]
        file.next_at_s = time.monotonic() + file.pause_s

    def _any_path(self) -> Path:
        if not self._paths:
            raise FileNotFoundError
        return self.chance.choice(self._paths)

    def _any_folder(self) -> Path:
        if not self._folders or self.chance.random() < 0.1:
            return self.root
        return self.chance.choice(self._folders)

    def _folder_that_may_leave(self) -> Path:
        folder = self._any_folder()
        inside = sum(path.is_relative_to(folder) for path in self._paths)
        if folder == self.root or inside > MOST_LEAVING_SHARE * len(self._paths):
            raise FileNotFoundError
        return folder

    def _new_folder(self) -> Path:
        folder = self._any_folder() / self._folder_name()
        folder.mkdir()
        self._folders.append(folder)
        return folder

    def _folder_name(self) -> str:
        self._serial += 1
        return f"folder {self._serial}"

    def _new_name(self) -> str:
        # The content decides, whatever the name says.
        return f"{self._serial}.{self.chance.choice(list(KINDS.values()))}"

    def _new_path(self) -> Path:
        self._serial += 1
        return self._any_folder() / self._new_name()

    def _move(self, old: Path, new: Path) -> None:
        old.rename(new)
        self._paths.remove(old)
        self._paths.append(new)

    def _move_all(self, old: Path, new: Path) -> None:
        old.rename(new)

        def moved(path: Path) -> Path:
            return new / path.relative_to(old) if path.is_relative_to(old) else path

        self._paths = [moved(path) for path in self._paths]
        self._folders = [moved(path) for path in self._folders]

    def _forget(self, folder: Path) -> None:
        self._paths = [path for path in self._paths if not path.is_relative_to(folder)]
        self._folders = [path for path in self._folders if not path.is_relative_to(folder)]
