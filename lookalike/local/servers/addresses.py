"""Where the servers of one machine listen: given URLs, and free ports for the servers that `up` starts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from lookalike.library.address import BucketAddress
from lookalike.local.servers.embedded import broker_url_at, embedded_password, store_url_at, write_valkey_conf
from lookalike.local.servers.ports import LOOPBACK, ChoosePort, Endpoint
from lookalike.local.supervision.processes import Ports
from lookalike.settings import Settings
from lookalike.system.data_folder import DataFolder

# The well-known ports of Redis and Qdrant; a later one is taken if they are in use.
FIRST_BROKER_PORT = 6379
FIRST_STORE_PORT = 6333


@dataclass(frozen=True)
class Addresses:
    """URLs with their passwords, and the ports of the servers that are started here."""

    redis_url: str
    qdrant_url: str
    flower_url: str
    web_url: str
    ports: Ports
    # Of the parts that are started here, by name.
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)


def choose_addresses(settings: Settings, folder: DataFolder, choose_port: ChoosePort) -> Addresses:
    """Takes the servers that are set and chooses ports for the rest."""
    broker, redis_url = None, settings.redis_url
    if redis_url is None:
        broker = choose_port(FIRST_BROKER_PORT)
        redis_url = SecretStr(broker_url_at(folder, broker))
        write_valkey_conf(folder, broker)
    store, qdrant_url = None, settings.qdrant_url
    if qdrant_url is None:
        store = choose_port(FIRST_STORE_PORT)
        qdrant_url = store_url_at(store)
    flower = choose_port(settings.flower_port, settings.flower_host)
    web = choose_port(settings.web_port, settings.web_host)
    servers = {"broker": broker, "store": store}
    return Addresses(
        redis_url=redis_url.get_secret_value(),
        qdrant_url=qdrant_url,
        flower_url=f"http://{_host_to_visit(settings.flower_host)}:{flower}",
        web_url=f"http://{_host_to_visit(settings.web_host)}:{web}",
        ports=Ports(broker=broker, store=store, flower=flower, web=web),
        endpoints={
            **{part: Endpoint(LOOPBACK, port) for part, port in servers.items() if port is not None},
            "flower": Endpoint(settings.flower_host, flower),
            "web": Endpoint(settings.web_host, web),
        },
    )


def resolve_settings(
    settings: Settings, folder: DataFolder, addresses: Addresses, library: Path | BucketAddress, library_id: str
) -> Settings:
    """The settings as every process gets them: nothing is left to discover or depends on the working folder."""
    ours = {} if addresses.ports.store is None else {"qdrant_api_key": SecretStr(embedded_password(folder))}
    return settings.model_copy(
        update={
            "data": folder.root,
            "library": library,
            "library_id": library_id,
            "redis_url": SecretStr(addresses.redis_url),
            "qdrant_url": addresses.qdrant_url,
            "flower_url": addresses.flower_url,
            "web_url": addresses.web_url,
            "model": absolute_model(settings.model),
            **ours,
        }
    )


def _host_to_visit(host: str) -> str:
    """The host for a browser on this machine; a server that listens on all addresses is reached on loopback."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 (compared, not bound)
        return LOOPBACK
    return f"[{host}]" if ":" in host else host


def absolute_model(model: str) -> str:
    """A model file by its absolute path; the name of a model that ships stays as it is."""
    path = Path(model).expanduser()
    return str(path.absolute()) if path.suffix == ".onnx" or path.parent != Path() else model
