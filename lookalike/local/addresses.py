"""Where the servers of one machine are: those that are given, and free ports for those that `up` brings along."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from lookalike.data_folder import DataFolder
from lookalike.local.embedded import broker_url_at, embedded_password, store_url_at, write_valkey_conf
from lookalike.local.ports import LOOPBACK, Choose
from lookalike.local.processes import Ports
from lookalike.settings import Settings

# The ports that everybody knows for Redis and Qdrant, or the next free ones.
FIRST_BROKER_PORT = 6379
FIRST_STORE_PORT = 6333


@dataclass(frozen=True)
class Addresses:
    """URLs with their passwords, and the ports among them that are ours."""

    redis_url: str
    qdrant_url: str
    flower_url: str
    ports: Ports


def choose_addresses(settings: Settings, folder: DataFolder, choose: Choose) -> Addresses:
    """Takes the servers that are set and chooses ports for the rest."""
    broker, redis_url = None, settings.redis_url
    if redis_url is None:
        broker = choose(FIRST_BROKER_PORT)
        redis_url = SecretStr(broker_url_at(folder, broker))
        write_valkey_conf(folder, broker)
    store, qdrant_url = None, settings.qdrant_url
    if qdrant_url is None:
        store = choose(FIRST_STORE_PORT)
        qdrant_url = store_url_at(store)
    flower = choose(settings.flower_port, settings.flower_host)
    return Addresses(
        redis_url=redis_url.get_secret_value(),
        qdrant_url=qdrant_url,
        flower_url=f"http://{_visited(settings.flower_host)}:{flower}",
        ports=Ports(broker=broker, store=store, flower=flower),
    )


def completed(settings: Settings, folder: DataFolder, addresses: Addresses, library: Path, library_id: str) -> Settings:
    """The settings as every part gets them: nothing is left to be found or to depend on the working folder."""
    ours = {} if addresses.ports.store is None else {"qdrant_api_key": SecretStr(embedded_password(folder))}
    return settings.model_copy(
        update={
            "data": folder.root,
            "library": library,
            "library_id": library_id,
            "redis_url": SecretStr(addresses.redis_url),
            "qdrant_url": addresses.qdrant_url,
            "flower_url": addresses.flower_url,
            "model": _findable(settings.model),
            **ours,
        }
    )


def _visited(host: str) -> str:
    """What a browser on this machine asks for; a server that listens everywhere is found on loopback."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 (compared, not bound)
        return LOOPBACK
    return f"[{host}]" if ":" in host else host


def _findable(model: str) -> str:
    """A model file by its absolute path; the name of a model that ships stays as it is."""
    path = Path(model).expanduser()
    return str(path.absolute()) if path.suffix == ".onnx" or path.parent != Path() else model
