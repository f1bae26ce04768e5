r"""A plan as a POSIX shell script that moves files to a folder, as a table and as JSON. Pure: returns text and bytes.

Every name is in single quotes, where only a single quote has a meaning; nothing of a plan stands outside of them but
digits and hexadecimal ones. The script looks at the SHA-256 of both files before each move: a size and a time would
need `stat`, whose options differ between GNU and BSD, and miss a change within a second.
"""

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from lookalike.duplicates.plan import Keeping, PlannedGroup, Savings
from lookalike.duplicates.preference import instant_of
from lookalike.library.paths import unescape_path

HEAD = rb"""#!/bin/sh
# Moves copies to a folder that you name, and keeps their places in it: sh plan.sh FOLDER
# Nothing is deleted or overwritten. A file is left where it is if it, or the copy of it that is kept, is not what it
# was when they were compared. The exit code is 1 if any was left. Made by `lookalike duplicates`.
LC_ALL=C; export LC_ALL
unset CDPATH
set -u
library=%s

say() { printf '%%s\n' "$*" >&2; }

if command -v sha256sum >/dev/null 2>&1; then digest() { sha256sum | cut -c 1-64; }
elif command -v shasum >/dev/null 2>&1; then digest() { shasum -a 256 | cut -c 1-64; }
elif command -v sha256 >/dev/null 2>&1; then digest() { sha256 -q | cut -c 1-64; }
elif command -v openssl >/dev/null 2>&1; then digest() { openssl dgst -sha256 -r | cut -c 1-64; }
else say 'There is no program for SHA-256: install sha256sum, shasum or openssl.'; exit 2
fi

if [ $# -ne 1 ] || [ -z "$1" ]; then say 'Name the folder to move files to: sh plan.sh FOLDER'; exit 2; fi
case $1 in /*) folder=$1 ;; *) folder=./$1 ;; esac
# The x keeps line feeds at the end of a name, which a command substitution drops.
library=$(cd -P "$library" && pwd -P && echo x) || { say 'The library is not there.'; exit 2; }
library=${library%%?x}
[ -d "$folder" ] || { say 'That folder is not there: make it.'; exit 2; }
folder=$(cd -P "$folder" && pwd -P && echo x) || exit 2
folder=${folder%%?x}
case $folder/ in "$library"/*) say 'That folder lies in the library: name one outside.'; exit 2 ;; esac
# A variable of its own: bash 5.2 does not match "${folder%%/}"/* where folder is /.
above=${folder%%/}
case $library/ in "$above"/*) say 'The library lies in that folder: name another one.'; exit 2 ;; esac

moved=0; left=0; checked=

leave() {
  left=$((left + 1))
  say "left: $(printf '%%s' "$1" | tr '\001-\037\177' '?'): $2"
}

is_as_planned() { [ -f "$1" ] && [ "$(digest 2>/dev/null <"$1")" = "$2" ]; }

# The file, its SHA-256, the copy of it that is kept, and the SHA-256 of that.
move() {
  file=$library/$1; kept=$library/$3
  if [ -h "$file" ]; then leave "$1" 'it is a link'; return; fi
  if ! [ -e "$file" ]; then leave "$1" 'it is not there'; return; fi
  if [ "$file" -ef "$kept" ]; then leave "$1" 'it is the file that is kept, by another name'; return; fi
  if [ "$3" != "$checked" ]; then
    checked=
    if ! is_as_planned "$kept" "$4"; then leave "$1" 'the copy of it that is kept has changed'; return; fi
    checked=$3
  fi
  if ! is_as_planned "$file" "$2"; then leave "$1" 'it has changed'; return; fi
  name=${1##*/}
  case $name in ?*.*) stem=${1%%.*}; end=.${name##*.} ;; *) stem=$1; end= ;; esac
  to=$folder/$1; number=1
  while [ -e "$to" ] || [ -h "$to" ]; do to=$folder/$stem.$number$end; number=$((number + 1)); done
  if mkdir -p "${to%%/*}" && mv -n "$file" "$to" && ! [ -e "$file" ]; then moved=$((moved + 1))
  else leave "$1" 'it could not be moved'
  fi
}

"""
TAIL = b"""
say "$moved moved, $left left."
[ "$left" -eq 0 ]
"""
COLUMNS = (
    *("group", "action", "path", "copy_of", "label", "reason"),
    *("size_bytes", "width_px", "height_px", "format", "taken_at", "changed_at", "sha256"),
)
# What a spreadsheet takes for the beginning of a formula, their wide forms included.
FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def script_of(groups: Iterable[PlannedGroup], library: Path) -> Iterator[bytes]:
    """The script in parts, for files of this library."""
    yield HEAD % _quoted(os.fsencode(library.absolute()))
    for group in groups:
        sha256_of = {file.path: file.facts.sha256 for file in group.files}
        # Next to each other those of one kept file, which is looked at once for all of them.
        for file in sorted(group.moved, key=lambda file: file.copy_of or ""):
            kept = file.copy_of or ""
            yield b"move %s %s %s %s\n" % (
                *(_quoted(_on_disk(file.path)), file.facts.sha256.encode()),
                *(_quoted(_on_disk(kept)), sha256_of[kept].encode()),
            )
    yield TAIL


def csv_of(groups: Iterable[PlannedGroup]) -> Iterator[str]:
    """The plan as a table by RFC 4180, one row a file, in parts.

    A text that a spreadsheet would take for a formula has an apostrophe before it; the plan as JSON has it as it is.
    """
    yield _row(COLUMNS)
    for number, group in enumerate(groups, 1):
        for file in group.files:
            facts = file.facts
            texts = (file.action, file.path, file.copy_of or "", file.label or "", file.reason)
            yield _row(
                (
                    *(number, *map(_harmless, texts), facts.size_bytes, facts.width_px, facts.height_px),
                    *(_harmless(facts.format), facts.taken_at or "", instant_of(facts.mtime_ns), facts.sha256),
                )
            )


def json_of(groups: Iterable[PlannedGroup], keeping: Keeping) -> Iterator[str]:
    """The plan as JSON, a line for each group, in parts; what it saves comes last, so that no group is kept for it."""
    head = {"v": 1, "rule": keeping.rule.text, "protected": [*keeping.protected]}
    yield f'{json.dumps(head, ensure_ascii=False)[:-1]}, "plan": ['
    saved = Savings()
    for group in groups:
        yield f"{',' if saved.groups else ''}\n{json.dumps(group.model_dump(), ensure_ascii=False)}"
        saved = saved.with_group(group)
    yield f"\n], {json.dumps(saved.model_dump())[1:]}\n"


def _row(values: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue()


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def _quoted(name: bytes) -> bytes:
    return b"'" + name.replace(b"'", rb"'\''") + b"'"


def _on_disk(path: str) -> bytes:
    return os.fsencode(unescape_path(path))
