"""The options of every command, which may stand anywhere in what was typed: `--quiet`, `--verbose`, `--library DIR`."""

from collections.abc import Sequence

FLAGS = ("--quiet", "-q", "--verbose", "-v")
WITH_VALUE = "--library"


def options_first(words: Sequence[str]) -> list[str]:
    """Moves these options to the front, where typer expects them; `--` ends the search."""
    end = words.index("--") if "--" in words else len(words)
    mine: list[str] = []
    rest: list[str] = []
    typed = iter(words[:end])
    for word in typed:
        if word == WITH_VALUE:
            # Without its value typer says so.
            mine += [word, *([value] if (value := next(typed, None)) is not None else [])]
        elif word in FLAGS or word.startswith(f"{WITH_VALUE}="):
            mine.append(word)
        else:
            rest.append(word)
    return [*mine, *rest, *words[end:]]
