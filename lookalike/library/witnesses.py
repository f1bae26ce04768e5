"""The two witnesses of a deletion. A point is deleted only if both say that its file is gone.

The producer saw the file disappear, or did not find it in a scan (`is_missing`): one status call, because it asks that
of every file of the index. Alone it could be wrong about a disk that was unmounted a moment later, or about a library
that another machine sees.

The worker, when it deletes, looks for itself (`is_unlisted`): in the listing of the deepest folder that is left, under
a root that is present and not empty. Alone it could be wrong where its own library is not the producer's: another disk
at the same path, or a mount that only one of the two sees.

In a bucket both ask the server for the key by name, and it has to say `NoSuchKey`: the producer of keys that its
listing did not show (buckets/bucket.py), the worker under a prefix whose listing shows something
(buckets/bucket_reader.py).
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from lookalike.library.links import leads_through_link, target_inside
from lookalike.library.paths import escape_path, unescape_path


def is_missing(root: Path, path: str) -> bool:
    """Whether no file of the library has this name; False after an error of the disk, which proves nothing."""
    name = os.path.join(root, path)  # noqa: PTH118 (ten times as quick, for every file of the index)
    try:
        found = os.lstat(name)
        if stat.S_ISLNK(found.st_mode):
            target = target_inside(root, name)
            if target is None:
                return True
            found = target.stat()
        elif leads_through_link(root, path):
            return True
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return not stat.S_ISREG(found.st_mode)


def is_unlisted(root: Path, path: str, raise_if_temporary: Callable[[OSError, str], None]) -> bool | None:
    """Whether a folder's listing does not show the next name of this path, as messages have it.

    None if every name is listed: then the file is there, or what has its name is no file of the library. False after
    an error that proves nothing. `raise_if_temporary` gets each error of the disk first.
    """
    folder = root
    for name in PurePosixPath(path).parts:
        try:
            if name not in {escape_path(entry.name) for entry in folder.iterdir()}:
                return True
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError as error:
            raise_if_temporary(error, path)
            return False
        folder /= unescape_path(name)
    return None
