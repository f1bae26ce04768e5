"""models/training/onnx_to_weights.py: a model file, int8 too, is enough to go on training from."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'lookalike[train]'")

from torch.nn import functional as F  # noqa: E402, N812

from models.preprocess import prepare  # noqa: E402
from models.tools.embedder import IMAGENET_MEAN, IMAGENET_STD, Embedder  # noqa: E402
from models.tools.export import export  # noqa: E402
from models.tools.metadata import Origin  # noqa: E402
from models.tools.photos import open_rgb, read_photos  # noqa: E402
from models.tools.quantize import quantize  # noqa: E402
from models.tools.resnet import ResNet, as_float  # noqa: E402
from models.tools.window import centre_window  # noqa: E402
from models.training.onnx_to_weights import unfold  # noqa: E402


def test_unfolded_an_int8_file_places_photos_as_before_and_can_be_trained(photo_folder: Path, tmp_path: Path) -> None:
    photos = list(read_photos([photo_folder]))
    torch.manual_seed(0)
    heads = {"embedding_head.weight": torch.randn(20, 2048), "embedding_head.bias": torch.randn(20)}
    heads |= {"copy_head.weight": torch.randn(12, 2048 + 1024), "copy_head.bias": torch.randn(12)}
    heads |= {"detail_head.weight": torch.randn(30, 1024), "detail_head.bias": torch.randn(30)}
    heads["detail_head.share"] = torch.tensor([0.0])
    heads |= {"copy_head.window": torch.from_numpy(centre_window(4, 4))}
    weights = ResNet("resnet50", v1=True).state_dict() | heads
    origin = Origin("made", "made by the tests", "Apache-2.0")
    fp32, int8 = tmp_path / "fp32.onnx", tmp_path / "int8.onnx"
    export(weights, "resnet50", fp32, origin=origin, size_px=64, resize="stretch", photos=photos, v1=True)
    card, _ = quantize(fp32, int8, photos)
    batch = np.stack([prepare(open_rgb(photo.content), card) for photo in photos])
    pixels = torch.from_numpy(batch).permute(0, 3, 1, 2)

    state = unfold(int8, "resnet50", pixels, v1=True)

    found = {name: state.pop(name) for name in heads}
    for name, head in heads.items():
        assert found[name] == pytest.approx(head.numpy(), abs=0.02)
    network = ResNet("resnet50", v1=True)
    network.load(state)
    inputs = as_float(pixels, IMAGENET_MEAN, IMAGENET_STD)
    expected = Embedder(int8).embed_pixels(batch)
    with torch.inference_mode():
        for mode in (network.eval(), network.train()):  # the statistics of a batch are those that were stored
            feature = F.linear(mode(inputs), found["embedding_head.weight"], found["embedding_head.bias"])
            cosines = (F.normalize(feature).numpy() * expected[:, :20]).sum(axis=1)
            assert cosines.min() > 0.98  # activations are rounded too


def test_another_depth_is_refused(tiny_model: Path) -> None:
    with pytest.raises(ValueError, match=r"conv1\.weight is \(8, 3, 7, 7\) and must be \(64, 3, 7, 7\)"):
        unfold(tiny_model, "resnet18", torch.zeros(2, 3, 32, 32, dtype=torch.uint8))
