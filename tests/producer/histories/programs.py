"""The programs whose histories are recorded, and the folders that they find."""

import os
import random
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

# Some take more than one write.
SIZES = {"a.jpg": 70_000, "b.jpg": 300_000, "sub/c.jpg": 1_000}
OLD_S = 1_500_000_000


@dataclass(frozen=True)
class Program:
    """`command` is run by a shell above `library` and `source`; both have the given files, by name and size."""

    command: str
    needs: tuple[str, ...] = ()
    source: Mapping[str, int] = field(default_factory=lambda: SIZES)
    library: Mapping[str, int] = field(default_factory=dict)
    # Run before anything is recorded.
    before: str = ""


# Serves `source` to a browser, whose page asks for the pictures by itself.
SERVE = "python3 -m http.server 8765 --bind 127.0.0.1 -d source > served 2>&1 & server=$!; sleep 1"
PAGE = """
    mkdir -p profile/Default
    echo '{"download": {"default_directory": "'$PWD/library'", "prompt_for_download": false}}' \
      > profile/Default/Preferences
    echo '<a href=a.jpg download></a><script>document.querySelector("a").click()</script>' > source/page.html
"""
# Another version of each, and one that goes.
OTHER = {"a.jpg": 60_000, "b.jpg": 300_001, "gone.jpg": 500}
PROGRAMS: Mapping[str, Program] = {
    "rsync": Program("rsync -r source/ library/", ("rsync",), library=OTHER),
    "rsync-archive-delete": Program("rsync -a --delete source/ library/", ("rsync",), library=OTHER),
    "rsync-inplace": Program("rsync -a --inplace --no-whole-file source/ library/", ("rsync",), library=OTHER),
    "rsync-partial": Program("rsync -a --partial --partial-dir=.partial source/ library/", ("rsync",), library=OTHER),
    "rsync-delay-updates": Program("rsync -a --delay-updates source/ library/", ("rsync",), library=OTHER),
    "rsync-backup": Program("rsync -a --backup source/ library/", ("rsync",), library=OTHER),
    "unzip": Program(
        "unzip -qo photos.zip -d library",
        ("zip", "unzip"),
        before="cd source && zip -qr ../photos.zip .",
        library=OTHER,
    ),
    "tar": Program("tar -xf photos.tar -C library", ("tar",), before="tar -cf photos.tar -C source .", library=OTHER),
    "git-checkout": Program(
        "git -C library checkout -q other",
        ("git",),
        before="""
            git init -q -b main library && cd library && git config user.email a@b && git config user.name a
            git add -A && git commit -qm one && git checkout -qb other && git rm -q gone.jpg && cp -r ../source/. .
            git add -A && git commit -qm two && git checkout -q main
        """,
        library=OTHER,
    ),
    "vim": Program(
        "vim -u NONE -N -n -es -c 'set backup backupcopy=no backupskip=' -c 'normal ox' -c 'wq' library/a.jpg",
        ("vim",),
        library=OTHER,
    ),
    "vim-in-place": Program(
        "vim -u NONE -N -es -c 'set writebackup backupcopy=yes backupskip=' -c 'normal ox' -c 'wq' library/a.jpg",
        ("vim",),
        library=OTHER,
    ),
    "gio-save": Program("cat source/a.jpg | gio save library/a.jpg", ("gio",), library=OTHER),
    "gio-save-backup": Program("cat source/a.jpg | gio save -b library/a.jpg", ("gio",), library=OTHER),
    "sed-in-place": Program("sed -i s/x/y/ library/a.jpg", ("sed",), library=OTHER),
    "cp": Program("cp -r source/. library/", ("cp",), library=OTHER),
    "cp-preserve": Program("cp -rp source/. library/", ("cp",), library=OTHER),
    "cp-hard-links": Program("cp -rl --remove-destination library/a.jpg library/other.jpg", ("cp",), library=OTHER),
    "mv": Program("mv source/a.jpg source/b.jpg source/sub library/", ("mv",), library=OTHER),
    "mv-inside": Program(
        "cd library && mv a.jpg d.jpg && mkdir x && mv b.jpg gone.jpg x/ && mv x y",
        ("mv",),
        library=OTHER,
    ),
    "mv-across-devices": Program(
        'mv "$ELSEWHERE"/* library/', ("mv",), before='cp -rp source/. "$ELSEWHERE"', library=OTHER
    ),
    "install": Program("install -m 644 source/a.jpg source/b.jpg library/", ("install",), library=OTHER),
    "chromium-download": Program(
        f"""{SERVE}
        chromium --headless=new --no-sandbox --disable-gpu --user-data-dir=profile http://127.0.0.1:8765/page.html \\
          2> said &
        browser=$!; until test -s library/a.jpg; do sleep 0.2; done; sleep 1; kill $browser $server""",
        ("chromium",),
        before=PAGE,
    ),
    "symlink-swap": Program(
        "ln -s v2 library/next && mv -T library/next library/current",
        ("ln", "mv"),
        library={"v1/p.jpg": 100, "v2/p.jpg": 200},
        before="cd library && ln -s v1 current && ln -s current/p.jpg shown.jpg",
    ),
}


def prepare(folder: Path, program: Program, environment: Mapping[str, str]) -> None:
    """Writes both folders and runs what comes before."""
    for name, sizes in (("source", program.source), ("library", program.library)):
        (folder / name).mkdir()
        for path, size in sizes.items():
            file = folder / name / path
            file.parent.mkdir(exist_ok=True)
            # No program compresses or skips it.
            file.write_bytes(random.Random(path + name).randbytes(size))
            os.utime(file, (OLD_S, OLD_S))
    if program.before:
        subprocess.run(["/bin/sh", "-ec", program.before], cwd=folder, check=True, env=dict(environment))
