"""models/tools/fetch.py and wrap.py: a published float model becomes a model file of the contract.

The hub is a small HTTP server on this machine that answers as huggingface.co does.
"""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.contract import ContractBroken, read_card
from models.tools.embedder import Embedder, float_input, open_session
from models.tools.fetch import PUBLISHED, NotFetched, fetch, main, sha256_of
from models.tools.metadata import Origin
from models.tools.retrieval import normalised
from models.tools.wrap import wrap

pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed: pip install huggingface_hub")


def published_file(path: Path, *, opset: int = 17, dimension: int = 2048, pooled_4d: bool = False) -> Path:
    """A file of the published ResNet-50's shape: float32 [n, 3, 224, 224] in, 2048 values out, random weights."""
    rng = np.random.default_rng(0)
    kernel = numpy_helper.from_array(rng.normal(0, 0.1, (dimension, 3, 7, 7)).astype(np.float32), "kernel")
    nodes = [
        helper.make_node("Conv", ["input", "kernel"], ["convolved"], strides=[16, 16]),
        helper.make_node("Relu", ["convolved"], ["relu"]),
        helper.make_node("GlobalAveragePool", ["relu"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"], axis=1),
    ]
    name = "pooled" if pooled_4d else "flat"
    shape: list[str | int | None] = ["n", dimension, 1, 1] if pooled_4d else ["n", dimension]
    graph = helper.make_graph(
        nodes,
        "published",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, 224, 224])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)],
        [kernel],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, path)
    return path


@dataclass
class Hub:
    """What the server offers, and what it was asked for."""

    content: bytes
    sha256: str
    address: str = ""
    ranges: list[str] = field(default_factory=list)
    cut_after_bytes: int | None = None


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    content = published_file(tmp_path / "published.onnx").read_bytes()
    offered = Hub(content, hashlib.sha256(content).hexdigest())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def log_message(self, *_: object) -> None:
            """Quiet: the test's output is for failures."""

        def _answer(self, *, with_body: bool) -> None:
            if self.path != "/Qdrant/resnet50-onnx/resolve/main/model.onnx":
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            wanted = self.headers.get("Range", "")
            start = int(wanted.removeprefix("bytes=").split("-")[0]) if with_body and wanted else 0
            if start:
                offered.ranges.append(wanted)
            body = offered.content[start:]
            self.send_response(206 if start else 200)
            self.send_header("ETag", f'"{offered.sha256}"')
            self.send_header("X-Linked-Etag", f'"{offered.sha256}"')
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(body)))
            if start:
                total = len(offered.content)
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            self.end_headers()
            if with_body:
                if offered.cut_after_bytes is not None:
                    body, offered.cut_after_bytes = body[: offered.cut_after_bytes], None
                    self.close_connection = True
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    offered.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield offered
    server.shutdown()
    server.server_close()
    thread.join()


def test_resnet50_is_fetched_checked_wrapped_and_ready(hub: Hub, tmp_path: Path) -> None:
    card = fetch("resnet50", tmp_path / "models", hub=hub.address)

    path = tmp_path / "models" / "resnet50.onnx"
    assert [file for file in (tmp_path / "models").rglob("*") if file.is_file()] == [path]
    assert read_card(path) == card
    assert (card.name, card.dimension, card.height_px, card.resize) == ("resnet50", 2048, 224, "crop:0.875")
    assert card.source == "https://huggingface.co/Qdrant/resnet50-onnx"
    assert card.licence == "Apache-2.0"


def test_the_wrapped_model_embeds_as_the_published_one(hub: Hub, tmp_path: Path) -> None:
    fetch("resnet50", tmp_path / "models", hub=hub.address)
    pixels = np.random.default_rng(1).integers(0, 256, (5, 224, 224, 3), dtype=np.uint8)
    published = open_session(tmp_path / "published.onnx")

    (expected,) = published.run(None, {"input": float_input(pixels)})

    found = Embedder(tmp_path / "models" / "resnet50.onnx").embed_pixels(pixels)
    assert found == pytest.approx(normalised(expected), abs=1e-5)


def test_a_download_that_was_cut_off_goes_on_where_it_was(hub: Hub, tmp_path: Path) -> None:
    # The client writes 10 MiB at a time, and what it had not written yet it asks for again.
    model = onnx.load(tmp_path / "published.onnx")
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(3 << 20, dtype=np.float32), "ballast"))
    hub.content = model.SerializeToString()
    hub.sha256 = hashlib.sha256(hub.content).hexdigest()
    hub.cut_after_bytes = 11 << 20

    try:
        fetch("resnet50", tmp_path / "models", hub=hub.address)
    except NotFetched:  # the client may go on by itself; if not, asking again must
        fetch("resnet50", tmp_path / "models", hub=hub.address)

    assert hub.ranges == [f"bytes={10 << 20}-"]
    assert read_card(tmp_path / "models" / "resnet50.onnx").dimension == 2048


def test_another_file_than_the_hub_speaks_of_is_refused_and_not_kept(hub: Hub, tmp_path: Path) -> None:
    hub.sha256 = "0" * 64

    with pytest.raises(NotFetched, match=r"must have 000000000000"):
        fetch("resnet50", tmp_path / "models", hub=hub.address)

    assert list((tmp_path / "models").rglob("*.onnx")) == []


def test_a_file_without_a_checksum_is_refused(hub: Hub, tmp_path: Path) -> None:
    hub.sha256 = "some-etag"

    with pytest.raises(NotFetched, match="without a SHA-256"):
        fetch("resnet50", tmp_path / "models", hub=hub.address)


def test_without_network_one_sentence_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["resnet50", "--into", str(tmp_path), "--hub", "http://127.0.0.1:9"])

    assert code == 1
    assert "not fetched: http://127.0.0.1:9/Qdrant/resnet50-onnx" in capsys.readouterr().err


def test_the_command_prints_what_it_made(hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["resnet50", "--into", str(tmp_path), "--hub", hub.address]) == 0
    assert f"fetched {tmp_path / 'resnet50.onnx'} dimension=2048" in capsys.readouterr().out


@pytest.mark.parametrize("opset", [11, 13, 17, 18])
@pytest.mark.parametrize("pooled_4d", [False, True])
def test_any_opset_and_either_output_shape_is_wrapped(tmp_path: Path, opset: int, *, pooled_4d: bool) -> None:
    published = published_file(tmp_path / "p.onnx", opset=opset, dimension=16, pooled_4d=pooled_4d)

    card = wrap(published, tmp_path / "wrapped.onnx", Origin("p", "tests", "none"), 16)

    assert read_card(tmp_path / "wrapped.onnx") == card


def test_a_published_model_of_another_kind_is_refused(tmp_path: Path, tiny_model: Path) -> None:
    published = published_file(tmp_path / "p.onnx", dimension=16)

    with pytest.raises(ContractBroken, match="16 values for an image, not 2048"):
        wrap(published, tmp_path / "wrapped.onnx", Origin("p", "tests", "none"), 2048)
    with pytest.raises(ContractBroken, match=r"must take one float32 \[n, 3, h, w\]"):
        wrap(tiny_model, tmp_path / "wrapped.onnx", Origin("p", "tests", "none"), 24)
    assert [path.name for path in tmp_path.iterdir()] == ["p.onnx"]


def test_what_is_published_names_a_repository_a_file_and_a_licence() -> None:
    for published in PUBLISHED.values():
        assert published.repository.count("/") == 1
        assert published.file.endswith(".onnx")
        assert published.licence


def test_the_checksum_is_that_of_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"lookalike" * 300_000)

    assert sha256_of(path) == hashlib.sha256(path.read_bytes()).hexdigest()
