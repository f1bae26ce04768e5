"""How the worker's client reaches a store: encoding, path, port of gRPC, and the authority behind a certificate."""

import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import pytest
from qdrant_client import QdrantClient
from qdrant_client import grpc as protocol

from lookalike.errors import Misconfigured
from lookalike.settings import Settings
from models.contract import read_card
from tests.support.edge import edge_process
from tests.support.faulty.between import Answer, Forward, Request, server_between
from worker.connecting import qdrant_of
from worker.index.collection import ensure
from worker.index.collection_spec import CollectionSpec

PREFIX = "/behind/a/proxy"
OPENSSL = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="needs openssl, which is not installed here")


@pytest.fixture(scope="module")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with edge_process(tmp_path_factory.mktemp("store") / "data") as edge:
        yield edge.url


@contextmanager
def client_of(settings: Settings) -> Iterator[QdrantClient]:
    client = qdrant_of(settings)
    try:
        yield client
    finally:
        client.close()


def test_answers_are_asked_for_as_they_are(store_url: str, model: Path) -> None:
    """A Qdrant server's compressed ones come in packets that wait for each other."""
    encodings = []

    def record(request: Request, forward: Forward) -> Answer:
        encodings.append({name.lower(): value for name, value in request.headers.items()}["accept-encoding"])
        return forward(request)

    with server_between(store_url, record) as url, client_of(Settings(qdrant_url=url)) as client:
        name = ensure(client, CollectionSpec("encoded", read_card(model), "cosine", library_id="the-library")).name
        client.query_points(name, query=[1.0] * read_card(model).dimension, using="image")

    assert encodings
    assert set(encodings) == {"identity"}


@pytest.mark.parametrize("ending", ["", "/"])
def test_a_store_below_a_path_is_reached(store_url: str, model: Path, ending: str) -> None:
    def strip(request: Request, forward: Forward) -> Answer:
        if not request.path.startswith(f"{PREFIX}/"):
            return Answer(404)
        return forward(replace(request, path=request.path.removeprefix(PREFIX)))

    with server_between(store_url, strip) as url, client_of(Settings(qdrant_url=f"{url}{PREFIX}{ending}")) as client:
        spec = CollectionSpec("prefixed", read_card(model), "cosine", library_id="the-library")
        name = ensure(client, spec).name

        assert client.count(name).count == 0


class Collections(protocol.CollectionsServicer):
    """Answers the question for aliases."""

    def ListAliases(self, request: object, context: grpc.ServicerContext) -> object:  # noqa: ARG002, N802
        found = protocol.AliasDescription(alias_name="lookalike", collection_name="images")
        return protocol.ListAliasesResponse(aliases=[found])


@contextmanager
def grpc_server(credentials: grpc.ServerCredentials | None = None) -> Iterator[int]:
    """The port of a server that speaks Qdrant's gRPC."""
    server = grpc.server(ThreadPoolExecutor(2))
    protocol.add_CollectionsServicer_to_server(Collections(), server)  # type: ignore[no-untyped-call]
    address = "127.0.0.1:0"
    port = server.add_insecure_port(address) if credentials is None else server.add_secure_port(address, credentials)
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


def test_grpc_goes_to_the_port_that_is_set() -> None:
    with (
        grpc_server() as port,
        client_of(Settings(qdrant_url="http://127.0.0.1:1", qdrant_grpc=True, qdrant_grpc_port=port)) as client,
    ):
        assert [alias.alias_name for alias in client.get_aliases().aliases] == ["lookalike"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody knows; its key lies next to it."""
    folder = tmp_path_factory.mktemp("certificate")
    make = [str(OPENSSL), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    make += ["-keyout", f"{folder}/server.key", "-out", f"{folder}/server.pem", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run([*make, "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    return folder / "server.pem"


@needs_openssl
def test_a_private_authority_is_trusted_over_grpc_if_it_is_named(certificate: Path) -> None:
    key = certificate.with_name("server.key").read_bytes()
    credentials = grpc.ssl_server_credentials([(key, certificate.read_bytes())])
    with grpc_server(credentials) as port:
        settings = Settings(qdrant_url="https://127.0.0.1:1", qdrant_grpc=True, qdrant_grpc_port=port)
        with client_of(settings) as stranger, pytest.raises(grpc.RpcError):
            stranger.get_aliases()
        with client_of(settings.model_copy(update={"qdrant_ca": certificate})) as client:
            assert client.get_aliases().aliases[0].collection_name == "images"


class _NoAliases(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"result": {"aliases": []}, "status": "ok", "time": 0.0}'
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@needs_openssl
def test_a_private_authority_is_trusted_over_rest_if_it_is_named(certificate: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, certificate.with_name("server.key"))
    with ThreadingHTTPServer(("127.0.0.1", 0), _NoAliases) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        settings = Settings(qdrant_url=f"https://127.0.0.1:{server.server_port}")
        with client_of(settings) as stranger, pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
            stranger.get_aliases()
        with client_of(settings.model_copy(update={"qdrant_ca": certificate})) as client:
            assert client.get_aliases().aliases == []
        server.shutdown()


@pytest.mark.parametrize(("content", "told"), [(None, "no such file"), ("no certificate", "PEM form")])
def test_an_authority_that_cannot_be_read_is_one_sentence(tmp_path: Path, content: str | None, told: str) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)

    with pytest.raises(Misconfigured, match=f"LOOKALIKE_QDRANT_CA is .*{told}"):
        qdrant_of(Settings(qdrant_url="https://127.0.0.1:1", qdrant_ca=file))
