"""`make pictures`: starts a system on drawn images and draws what people see: the terminal of `up`, and Flower's tasks.

Flower's page needs Debian's chromium; without it that picture stays as it is.
"""

import io
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.text import Text

from examples.samples import draw_samples

HERE = Path(__file__).parent
COLUMNS = 104
WIDTH_PX, HEIGHT_PX = 1280, 620
COLOURS = 64
INDEXED_WITHIN_S = 60.0
PAGE_MS = 8_000
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
            for motif in ("houses", "suns", "boats", "balloons"):
                for found in sorted((folder / "photos").glob(f"{motif}/*-1.jpg")):
                    subprocess.run([*command, "search", str(found), "--quiet"], cwd=folder, env=environment, check=True)
            flower = re.search(r"http://127\.0\.0\.1:\d+", shown)
            draw_terminal(shown.replace(str(folder), "/home/you"), HERE / "up.svg")
            if flower is not None:
                draw_page(f"{flower[0]}/tasks", HERE / "flower.png")
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


def draw_page(url: str, into: Path) -> None:
    """Writes a page as a small PNG, if there is a browser."""
    browser = shutil.which("chromium")
    if browser is None:
        sys.stderr.write("No chromium here: Flower's picture stays as it is.\n")
        return
    with tempfile.TemporaryDirectory() as place:
        shot = Path(place, "shot.png")
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={place}/profile",
        ]
        options += [f"--window-size={WIDTH_PX},{HEIGHT_PX}", f"--virtual-time-budget={PAGE_MS}", f"--screenshot={shot}"]
        subprocess.run([browser, *options, url], check=True, capture_output=True, timeout=60)
        with Image.open(shot) as image:
            image.convert("RGB").quantize(COLOURS).save(into, optimize=True)


def _read_until(terminal: int, words: str) -> str:
    """What a terminal showed until these words were on it, and a moment longer."""
    shown, until = "", time.monotonic() + INDEXED_WITHIN_S
    while words not in shown:
        if time.monotonic() > until:
            raise TimeoutError(shown)
        if select.select([terminal], [], [], 1.0)[0]:
            shown += os.read(terminal, 65536).decode()
    return shown


if __name__ == "__main__":
    sys.exit(main())
