"""models/tools/export.py and resnet.py: weights with torchvision's names become a model file of the contract."""

import functools
import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'lookalike[train]'")

from models.contract import read_card  # noqa: E402
from models.tools.embedder import Embedder  # noqa: E402
from models.tools.export import PUBLISHED, ExportDiffers, export, main, published  # noqa: E402
from models.tools.metadata import Origin  # noqa: E402
from models.tools.photos import open_rgb, read_photos  # noqa: E402
from models.tools.resnet import DEPTHS, ResNet  # noqa: E402
from models.tools.two_views import averaged, two_views  # noqa: E402
from models.tools.window import centre_window  # noqa: E402

ORIGIN = Origin("made", "made by the tests", "Apache-2.0")
# How many tensors torchvision's state dict of each depth has, `fc` included.
TENSORS = {"resnet18": 122, "resnet34": 218, "resnet50": 320, "resnet101": 626, "resnet152": 932}


def random_weights(depth: str) -> dict[str, Any]:
    """A state dict as torchvision's: a classifier too, and BatchNorm statistics that are not the initial ones."""
    torch.manual_seed(0)
    state: dict[str, Any] = ResNet(depth).state_dict()
    for name, value in state.items():
        if name.endswith("running_mean"):
            value.normal_(0, 0.1)
        elif name.endswith(("running_var", "bn3.weight")):
            value.uniform_(0.3, 0.5)
    return state | {"fc.weight": torch.zeros(1000, DEPTHS[depth].dimension), "fc.bias": torch.zeros(1000)}


@pytest.mark.parametrize("depth", sorted(DEPTHS))
def test_a_state_dict_of_each_depth_becomes_a_model_file(
    depth: str, photo_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = random_weights(depth)
    torch.save(weights, tmp_path / "weights.pt")
    arguments = [depth, str(tmp_path / "model.onnx"), "--photos", str(photo_folder), "--size", "64"]
    arguments += ["--weights", str(tmp_path / "weights.pt"), "--source", "here", "--licence", "none"]

    assert main(arguments) == 0

    card = read_card(tmp_path / "model.onnx")
    assert len(weights) == TENSORS[depth]
    assert (card.name, card.height_px, card.dimension) == (depth, 64, DEPTHS[depth].dimension)
    assert (card.resize, card.source, card.licence, card.precision) == ("crop:0.875", "here", "none", "fp32")
    said = re.search(r"largest difference to PyTorch .*: (\S+)", capsys.readouterr().out)
    assert said is not None
    assert float(said[1]) < 1e-4


def test_batch_norm_is_folded_and_the_recipe_is_in_the_graph(photo_folder: Path, tmp_path: Path) -> None:
    photos = list(read_photos([photo_folder]))
    path = tmp_path / "model.onnx"
    export(random_weights("resnet18"), "resnet18", path, origin=ORIGIN, size_px=64, resize="stretch", photos=photos)

    operators = [node.op_type for node in onnx.load(path).graph.node]
    images = [open_rgb(photo.content) for photo in read_photos([photo_folder])]
    embeddings = Embedder(path).embed(images)

    assert operators.count("Conv") == 20
    assert "BatchNormalization" not in operators
    assert embeddings.dtype == np.float32
    assert np.linalg.norm(embeddings, axis=1) == pytest.approx(1, abs=1e-6)


def test_a_mean_feature_is_subtracted_before_the_length_is_taken(photo_folder: Path, tmp_path: Path) -> None:
    photos = list(read_photos([photo_folder]))
    images = [open_rgb(photo.content) for photo in read_photos([photo_folder])]
    weights = random_weights("resnet18")
    for name, state in (("plain", weights), ("centred", weights | {"mean_feature": torch.full((512,), 0.7)})):
        path = tmp_path / f"{name}.onnx"
        export(state, "resnet18", path, origin=ORIGIN, size_px=64, resize="stretch", photos=photos)

    plain, centred = (Embedder(tmp_path / f"{name}.onnx").embed(images) for name in ("plain", "centred"))

    assert plain.min() >= 0
    assert centred.min() < 0


def test_two_views_are_the_whole_photo_shrunk_and_its_middle() -> None:
    rows = torch.arange(80.0).view(1, 1, 80, 1).expand(2, 3, 80, 80)

    views = two_views(rows)

    assert views.shape == (4, 3, 64, 64)
    assert views[0, 0, [0, -1], 0].tolist() == pytest.approx([0.125, 78.875])  # the middle of a row of 1.25
    assert views[2, 0, [0, -1], 0].tolist() == [8, 71]
    assert averaged(torch.tensor([[1.0], [2.0], [5.0], [8.0]])).tolist() == [[3], [5]]


def test_an_export_in_two_views_computes_what_pytorch_does(
    photo_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(random_weights("resnet18"), tmp_path / "weights.pt")
    arguments = ["resnet18", str(tmp_path / "model.onnx"), "--photos", str(photo_folder), "--views", "2"]
    arguments += ["--weights", str(tmp_path / "weights.pt"), "--source", "here", "--licence", "none"]

    assert main([*arguments, "--size", "80"]) == 0
    said = re.search(r"largest difference to PyTorch .*: (\S+)", capsys.readouterr().out)
    assert main([*arguments, "--size", "84"]) == 1

    assert said is not None
    assert float(said[1]) < 1e-4
    assert "no whole margins" in capsys.readouterr().err


def test_an_export_with_heads_and_the_stride_of_v1_computes_what_pytorch_does(
    photo_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heads = {"embedding_head.weight": torch.randn(20, 2048), "embedding_head.bias": torch.randn(20)}
    heads |= {"copy_head.weight": torch.randn(12, 2048 + 1024), "copy_head.bias": torch.randn(12)}
    torch.save(random_weights("resnet50") | heads, tmp_path / "weights.pt")
    arguments = ["resnet50", "--photos", str(photo_folder), "--size", "72", "--resize", "stretch"]
    arguments += ["--weights", str(tmp_path / "weights.pt"), "--source", "here", "--licence", "none"]

    said = []
    window = torch.from_numpy(centre_window(5, 5))
    narrow = {"detail_head.weight": torch.randn(30, 1024) / 20, "detail_head.bias": torch.randn(30)}
    narrow["detail_head.share"] = torch.tensor([0.6])
    narrow |= {"copy_head.weight": torch.randn(12, 1024), "copy_head.window": window}
    torch.save(random_weights("resnet50") | heads | narrow, tmp_path / "narrow.pt")
    kinds = {"v1": ["--v1"], "v1.5": [], "views": ["--v1", "--views", "2", "--size", "80"]}
    kinds["narrow"] = ["--weights", str(tmp_path / "narrow.pt")]
    for name, more in kinds.items():
        assert main([*arguments, str(tmp_path / f"{name}.onnx"), *more]) == 0
        said.append(re.search(r"largest difference to PyTorch .*: (\S+)", capsys.readouterr().out))

    assert all(found is not None and float(found[1]) < 1e-4 for found in said)
    card = read_card(tmp_path / "v1.onnx")
    assert (card.dimension, card.copy_dimension) == (20, 12)
    assert read_card(tmp_path / "narrow.onnx").dimension == 20 + 30
    images = [open_rgb(photo.content) for photo in read_photos([photo_folder])]
    embeddings, descriptors = Embedder(tmp_path / "v1.onnx").describe(images)
    assert np.linalg.norm(embeddings, axis=1) == pytest.approx(1, abs=1e-6)
    assert np.linalg.norm(descriptors, axis=1) == pytest.approx(1, abs=1e-6)
    assert np.abs(embeddings - Embedder(tmp_path / "v1.5.onnx").embed(images)).max() > 1e-3


def exported(weights: dict[str, Any], photo_folder: Path, tmp_path: Path) -> None:
    export(
        weights,
        "resnet18",
        tmp_path / "model.onnx",
        origin=ORIGIN,
        size_px=64,
        resize="stretch",
        photos=list(read_photos([photo_folder])),
    )


def test_a_window_for_another_size_is_refused(photo_folder: Path, tmp_path: Path) -> None:
    weights = random_weights("resnet18") | {"copy_head.window": torch.from_numpy(centre_window(5, 5))}

    with pytest.raises(ValueError, match=r"copy_head.window is \(5, 5\) and must be \(4, 4\) for 64 px"):
        exported(weights, photo_folder, tmp_path)


def test_a_head_for_another_network_is_refused(photo_folder: Path, tmp_path: Path) -> None:
    head = {"embedding_head.weight": torch.randn(20, 100), "embedding_head.bias": torch.randn(20)}

    with pytest.raises(ValueError, match=r"embedding_head.weight is \(20, 100\) and its last axis must be 512"):
        exported(random_weights("resnet18") | head, photo_folder, tmp_path)


def test_weights_of_another_network_are_refused_by_the_first_difference(
    photo_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(random_weights("resnet18"), tmp_path / "weights.pt")
    arguments = ["resnet50", str(tmp_path / "model.onnx"), "--photos", str(photo_folder)]
    arguments += ["--weights", str(tmp_path / "weights.pt"), "--source", "here", "--licence", "none"]

    assert main(arguments) == 1

    assert "no weights of a resnet50: layer1.0.bn3.bias is missing" in capsys.readouterr().err
    assert not (tmp_path / "model.onnx").exists()


def test_wrong_shapes_and_unknown_names_are_refused() -> None:
    network = ResNet("resnet18")
    state = network.state_dict()

    with pytest.raises(ValueError, match=r"conv1\.weight is \(64, 1, 7, 7\), not \(64, 3, 7, 7\)"):
        network.load(state | {"conv1.weight": torch.zeros(64, 1, 7, 7)})
    with pytest.raises(ValueError, match="it has no layer9"):
        network.load(state | {"layer9.weight": torch.zeros(1)})
    with pytest.raises(ValueError, match="resnet18, resnet34"):
        ResNet("resnet19")


def test_weights_older_than_the_batch_counters_load() -> None:
    network = ResNet("resnet18")
    state = {name: value for name, value in network.state_dict().items() if "num_batches" not in name}

    network.load(state)


def test_a_file_that_computes_something_else_is_refused_and_not_kept(photo_folder: Path, tmp_path: Path) -> None:
    weights = random_weights("resnet18")
    weights["layer4.1.bn2.running_var"] = torch.full((512,), float("nan"))

    with pytest.raises(ExportDiffers, match="differ by nan"):
        exported(weights, photo_folder, tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_without_photos_nothing_is_exported(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no photos to check"):
        export(
            random_weights("resnet18"),
            "resnet18",
            tmp_path / "model.onnx",
            origin=ORIGIN,
            size_px=64,
            resize="stretch",
            photos=[],
        )


def test_given_weights_need_a_source_and_a_licence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["resnet18", str(tmp_path / "m.onnx"), "--photos", str(tmp_path), "--weights", "w.pt"])

    assert "--source and --licence" in capsys.readouterr().err


@pytest.fixture
def weights_server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A file server in the place of download.pytorch.org: its address and its folder."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()
    thread.join()


def test_published_weights_are_downloaded_and_their_checksum_compared(
    weights_server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    address, folder = weights_server
    torch.save({"conv1.weight": torch.ones(2)}, folder / "weights.pt")
    content = (folder / "weights.pt").read_bytes()
    digits = hashlib.sha256(content).hexdigest()[:8]
    (folder / f"right-{digits}.pth").write_bytes(content)
    (folder / "wrong-00000000.pth").write_bytes(content)

    assert published(f"{address}/right-{digits}.pth")["conv1.weight"].tolist() == [1, 1]
    with pytest.raises(RuntimeError, match="invalid hash value"):
        published(f"{address}/wrong-00000000.pth")


def test_each_depth_has_published_weights_with_a_checksum_in_their_name() -> None:
    assert sorted(PUBLISHED) == sorted(DEPTHS)
    for depth, url in PUBLISHED.items():
        assert re.fullmatch(rf"https://download\.pytorch\.org/models/{depth}-[0-9a-f]{{8}}\.pth", url)
