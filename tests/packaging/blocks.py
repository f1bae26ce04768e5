"""Finds the code blocks of a document, each with what a comment before it says about running it.

    <!-- not run: REASON -->        this block is not executed
    <!-- stays -->                  it runs until Ctrl-C; the blocks after it are executed beside it

A fence says `sh`, `python`, `js`, or `text` for what is no code; an indented block is `sh`.
"""

import re
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?<=\n\n)((?: {4}.*\n)+)")
COMMENT = re.compile(r"<!-- (not run: (?P<reason>(?:(?!-->).)+)|stays) -->\n\n?\Z", re.DOTALL)
LANGUAGES = ("sh", "python", "js", "text")


@dataclass(frozen=True)
class Block:
    """Code of a document; `line` is where it begins."""

    document: Path
    line: int
    language: str
    code: str
    not_run: str | None
    stays: bool

    def __str__(self) -> str:
        return f"{self.document.name}:{self.line}"


def blocks_of(document: Path) -> list[Block]:
    """The blocks in their order."""
    text = document.read_text("utf-8")
    # Fences first: what is indented within one is no block of its own.
    found = [(match.start(), match[1], match[2]) for match in FENCE.finditer(text)]
    prose = FENCE.sub(lambda match: re.sub(r"[^\n]", "x", match[0]), text)
    found += [
        (match.start(), "sh", re.sub(r"^ {4}", "", match[1], flags=re.MULTILINE)) for match in INDENTED.finditer(prose)
    ]
    return [_block(document, text, *each) for each in sorted(found)]


def _block(document: Path, text: str, start: int, language: str, code: str) -> Block:
    said = COMMENT.search(text[:start])
    reason = None if said is None else said["reason"]
    line = text.count("\n", 0, start) + 1
    return Block(document, line, language, code, reason, stays=said is not None and reason is None)
