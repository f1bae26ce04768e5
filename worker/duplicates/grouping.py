"""Groups of pairs: a centre and what is paired with it. Never a chain, and the same for the same pairs."""

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from lookalike.duplicates.groups import LABELS, FileFacts, Group, Label, Pair
from worker.duplicates.companions import companions
from worker.duplicates.kept import ContentPair

COPIES: frozenset[Label] = frozenset({"same", "near"})
EXACT = 1.0


def groups_of(files: Mapping[str, Sequence[FileFacts]], pairs: Iterable[ContentPair]) -> Iterator[Group]:
    """All groups: of copies (exact, same, near), of similar pictures, and of companions.

    `files` are those of each content, in order. A pair of contents whose files are companions is no copy.
    """
    together = {
        frozenset((a.path, b.path)): (a, b) for a, b in companions(file for some in files.values() for file in some)
    }
    similarities: dict[frozenset[str], float] = {}
    copies: dict[str, dict[str, ContentPair]] = defaultdict(dict)
    similar: dict[str, dict[str, ContentPair]] = defaultdict(dict)
    for pair in pairs:
        if pair.a not in files or pair.b not in files:
            continue
        similarities[frozenset((pair.a, pair.b))] = pair.similarity
        if not _left(files[pair.a], files[pair.b], together):
            continue
        kind = copies if pair.label in COPIES else similar
        kind[pair.a][pair.b] = kind[pair.b][pair.a] = pair
    for some in files.values():
        if len(some) > 1:
            copies.setdefault(some[0].sha256, {})
    yield from _stars(files, copies, together)
    yield from _stars(files, similar, together, only_first=True)
    yield from _companion_groups(together.values(), similarities)


def _left(a: Sequence[FileFacts], b: Sequence[FileFacts], together: Mapping[frozenset[str], object]) -> bool:
    """Whether some file of one content and some file of the other are no companions."""
    return any(frozenset((one.path, other.path)) not in together for one in a for other in b)


def _stars(
    files: Mapping[str, Sequence[FileFacts]],
    neighbours: Mapping[str, Mapping[str, ContentPair]],
    together: Mapping[frozenset[str], object],
    *,
    only_first: bool = False,
) -> Iterator[Group]:
    """Greedily: the content with the most free files around it, then with most of its own, then the nearest to all."""
    free = set(neighbours)

    def rank(centre: str) -> tuple[float | str, ...]:
        others = [(one, pair) for one, pair in neighbours[centre].items() if one in free]
        around = sum(len(files[one]) for one, _ in others) + len(files[centre])
        near = math.fsum(pair.similarity for _, pair in others)
        return -around, -len(files[centre]), -round(near, 3), files[centre][0].path

    heap = [(*rank(centre), centre) for centre in neighbours]
    heapq.heapify(heap)
    while heap:
        *known, centre = heapq.heappop(heap)
        if centre not in free:
            continue
        now = rank(centre)
        if tuple(known) != now:
            heapq.heappush(heap, (*now, centre))
            continue
        members = sorted((one for one in neighbours[centre] if one in free), key=lambda one: files[one][0].path)
        free -= {centre, *members}
        group = _group(
            files, centre, [(one, neighbours[centre][one]) for one in members], together, only_first=only_first
        )
        if group is not None:
            yield group


def _group(
    files: Mapping[str, Sequence[FileFacts]],
    centre: str,
    members: Sequence[tuple[str, ContentPair]],
    together: Mapping[frozenset[str], object],
    *,
    only_first: bool,
) -> Group | None:
    first, *exact = files[centre]
    rows = [] if only_first else [(file, "exact", EXACT) for file in exact]
    for sha256, pair in members:
        some = files[sha256][:1] if only_first else files[sha256]
        rows += [(file, pair.label, pair.similarity) for file in some]
    rows = [row for row in rows if frozenset((first.path, row[0].path)) not in together]
    if not rows:
        return None
    rows.sort(key=lambda row: row[0].path)
    pairs = [
        Pair.model_construct(a=first.path, b=file.path, label=label, similarity=round(found, 4))
        for file, label, found in rows
    ]
    return _made(pairs, [first, *(file for file, _, _ in rows)])


def _companion_groups(
    pairs: Iterable[tuple[FileFacts, FileFacts]], similarities: Mapping[frozenset[str], float]
) -> Iterator[Group]:
    """Around the file that comes first by kind and name."""
    around: dict[str, list[tuple[FileFacts, FileFacts]]] = defaultdict(list)
    for a, b in pairs:
        around[a.path].append((a, b))
    taken: set[str] = set()
    for centre in sorted(around, key=lambda path: (-len(around[path]), path)):
        rows = [(a, b) for a, b in sorted(around[centre], key=lambda pair: pair[1].path) if b.path not in taken]
        if centre in taken or not rows:
            continue
        taken |= {centre, *(b.path for _, b in rows)}
        found = [
            Pair.model_construct(
                a=a.path,
                b=b.path,
                label="companion",
                similarity=round(similarities.get(frozenset((a.sha256, b.sha256)), 0.0), 4),
            )
            for a, b in rows
        ]
        yield _made(found, [rows[0][0], *(b for _, b in rows)])


def _made(pairs: Sequence[Pair], files: Sequence[FileFacts]) -> Group:
    # Not validated: thousands of groups are made of what was validated before.
    return Group.model_construct(
        label=max((pair.label for pair in pairs), key=LABELS.index),
        centre=files[0].path,
        paths=[file.path for file in files],
        pairs=list(pairs),
        files=list(files),
    )


def is_under(path: str, folder: str) -> bool:
    """Whether a path lies in a folder or below it."""
    return PurePosixPath(folder) in PurePosixPath(path).parents
