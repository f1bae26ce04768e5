"""Letters of all scripts in a picture, as far as this machine has fonts for them; the rest is escaped, not left out."""

from functools import cache

from PIL import ImageDraw, ImageFont

from lookalike.terminal import escaped

# Pillow brings a font of Latin letters. For other scripts the first of these that is installed and has the letter:
# usual on Debian and other Linux, macOS, Windows.
FONTS = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial Unicode.ttf", "segoeui.ttf"),
    *("NotoSansCJK-Regular.ttc", "wqy-zenhei.ttc", "DroidSansFallbackFull.ttf", "DroidSansFallback.ttf"),
    *("PingFang.ttc", "Hiragino Sans GB.ttc", "msyh.ttc", "YuGothM.ttc", "malgun.ttf", "AppleSDGothicNeo.ttc"),
    *("NotoSansArabic-Regular.ttf", "NotoSansHebrew-Regular.ttf", "NotoSansDevanagari-Regular.ttf"),
    *("NotoSansBengali-Regular.ttf", "NotoSansThai-Regular.ttf", "Nirmala.ttf", "LeelawUI.ttf"),
)
# A code point that no font has a letter for: drawn as the font's sign for what it lacks.
NO_LETTER = "\U0010fffe"
GAP = "…"
Font = ImageFont.FreeTypeFont


class Lettering:
    """Text of one size in pixels."""

    def __init__(self, size_px: int) -> None:
        self._size_px = size_px
        self._own = _own_font(size_px)

    def drawable(self, text: str) -> str:
        r"""The text with what does not print, and what no font here has, as `\u6771`."""
        return "".join(char if self._font(char) else _spelled(char) for char in escaped(text))

    def fitted(self, text: str, width_px: float) -> str:
        """The drawable text, without its middle if it is wider than that: beginning and end tell files apart."""
        whole = self.drawable(text)
        if self.width(whole) <= width_px:
            return whole
        low, high = 0, len(whole)
        while low < high:
            kept = (low + high + 1) // 2
            if self.width(_shortened(whole, kept)) <= width_px:
                low = kept
            else:
                high = kept - 1
        return _shortened(whole, low)

    def width(self, text: str) -> float:
        """Pixels that a drawable text takes."""
        return sum(font.getlength(run) for font, run in self._runs(text))

    def draw(self, on: ImageDraw.ImageDraw, at: tuple[float, float], text: str, fill: str) -> None:
        """Draws a drawable text; `at` is the left end of its base line."""
        left, base = at
        for font, run in self._runs(text):
            on.text((left, base), run, font=font, fill=fill, anchor="ls")
            left += font.getlength(run)

    def _runs(self, text: str) -> list[tuple[Font, str]]:
        """The text in parts that one font has."""
        runs: list[tuple[Font, str]] = []
        for char in text:
            font = self._font(char) or self._own
            if runs and (runs[-1][0] is font or char.isspace()):
                runs[-1] = (runs[-1][0], runs[-1][1] + char)
            else:
                runs.append((font, char))
        return runs

    def _font(self, char: str) -> Font | None:
        """The font for a letter; None if none has it."""
        return _font_of(char, self._size_px)


def _shortened(text: str, kept: int) -> str:
    tail = kept // 2
    return text[: kept - tail] + GAP + (text[-tail:] if tail else "")


def _spelled(char: str) -> str:
    number = ord(char)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"  # noqa: PLR2004 (one unit of UTF-16)


@cache
def _own_font(size_px: int) -> Font:
    font = ImageFont.load_default(size_px)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow is built without FreeType"  # noqa: S101
    return font


@cache
def _installed(name: str, size_px: int) -> Font | None:
    try:
        return ImageFont.truetype(name, size_px)
    except OSError:
        return None


@cache
def _font_of(char: str, size_px: int) -> Font | None:
    if _has(_own_font(size_px), char):
        return _own_font(size_px)
    for name in FONTS:
        font = _installed(name, size_px)
        if font is not None and _has(font, char):
            return font
    return None


def _has(font: Font, char: str) -> bool:
    return char.isspace() or _drawn(font, char) != _drawn(font, NO_LETTER)


def _drawn(font: Font, char: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(char)
    return mask.size, bytes(mask)
