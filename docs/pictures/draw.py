"""`make pictures`: starts a system on drawn images and draws what people see: the terminal of `up`, and the pages.

The pages need Debian's chromium; without it their pictures stay as they are.
"""

import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from draw_flower import draw_flower
from page import HERE, SHOWN_WITHIN_MS, open_page, save
from PIL import Image, ImageOps
from playwright.sync_api import Browser
from rich.console import Console
from rich.text import Text

from examples.samples import draw_samples
from lookalike import Client
from tests.support.browser import browser_at, browser_path

COLUMNS = 104
INDEXED_WITHIN_S = 60.0
ADDRESS = r"\s+(http://127\.0\.0\.1:\d+)"
# Redrawing a line: back to its start, erase; and what hides and shows the cursor.
REDRAWN = re.compile(r"\r\x1b\[2K|\x1b\[\?25[lh]|\x1b\[1A\x1b\[2K")


def main() -> int:
    """Exit code."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        draw_samples(folder / "photos")
        command = [sys.executable, "-c", "from lookalike.cli import main; main()"]
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": "24"}
        environment |= {"XDG_DATA_HOME": str(folder / "data"), "TMPDIR": str(folder)}
        ours, theirs = pty.openpty()
        up = subprocess.Popen(
            [*command, "up", "photos"], cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        try:
            shown = _read_until(ours, " indexed 36 ")
            # A terminal that is read by nothing holds `up` up.
            threading.Thread(target=_read_on, args=(ours,), daemon=True).start()
            for motif in ("houses", "suns", "boats", "balloons"):
                for found in sorted((folder / "photos").glob(f"{motif}/*-1.jpg")):
                    subprocess.run([*command, "search", str(found), "--quiet"], cwd=folder, env=environment, check=True)
            draw_terminal(shown.replace(str(folder), "/home/you"), HERE / "up.svg")
            gallery, flower = (re.findall(name + ADDRESS, shown)[0] for name in ("Gallery", "Flower"))
            with Client(data=folder / "data" / "lookalike") as client:
                draw_pages(gallery, flower, folder / "photos", client, up.pid)
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(30)
            os.close(ours)
    return 0


def draw_terminal(shown: str, into: Path) -> None:
    """Writes the lines that stay on a terminal as SVG."""
    lines = [REDRAWN.split(line)[-1] for line in shown.replace("\r\n", "\n").split("\n")]
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print("[bold green]$[/] lookalike up photos", highlight=False)
    for line in filter(None, map(str.rstrip, lines)):
        console.print(Text.from_ansi(line))
    svg = console.export_svg(title="lookalike")
    # No fonts from elsewhere: whoever looks at it has a monospaced one.
    into.write_text(re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL), "utf-8")


def draw_pages(gallery: str, flower: str, photos: Path, client: Client, up_pid: int) -> None:
    """Writes the pages as small PNGs, if there is a browser."""
    found = browser_path()
    if found is None:
        sys.stderr.write("No chromium here: the pictures of the pages stay as they are.\n")
        return
    with browser_at(found) as browser:
        draw_flower(browser, flower, photos, client, up_pid)
        page = open_page(browser, f"{gallery}/?like=houses%2Fhouses-3.jpg")
        save(page, "gallery.png")
        draw_duplicates(browser, gallery, photos)


def draw_duplicates(browser: Browser, gallery: str, photos: Path) -> None:
    """Adds copies of some pictures, and shows what is found."""
    page = open_page(browser, f"{gallery}/duplicates")
    for change, name in ((ImageOps.mirror, "balloons/balloons-5.jpg"), (_cut, "balloons/balloons-2.jpg")):
        with Image.open(photos / name) as image:
            change(image).save(photos / name.replace(".jpg", "-copy.jpg"), quality=80)
    page.get_by_text("38 indexed").wait_for(timeout=SHOWN_WITHIN_MS)
    page.get_by_label("Folder", exact=True).fill("balloons")
    page.get_by_role("button", name="Look for duplicates").click()
    page.get_by_text("% apart").first.wait_for(timeout=SHOWN_WITHIN_MS)
    page.locator(".pair").first.focus()
    save(page, "duplicates.png")


def _cut(image: Image.Image) -> Image.Image:
    width, height = image.size
    return image.crop((width // 8, height // 8, width * 7 // 8, height * 7 // 8))


def _read_until(terminal: int, words: str) -> str:
    """What a terminal showed until these words were on it, and a moment longer."""
    shown, until = "", time.monotonic() + INDEXED_WITHIN_S
    while words not in shown:
        if time.monotonic() > until:
            raise TimeoutError(shown)
        if select.select([terminal], [], [], 1.0)[0]:
            shown += os.read(terminal, 65536).decode()
    return shown


def _read_on(terminal: int) -> None:
    with suppress(OSError):
        while os.read(terminal, 65536):
            pass


if __name__ == "__main__":
    sys.exit(main())
