"""models/training/onnx_to_weights.py: the shipped file is enough to go on training from."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'lookalike[train]'")

from torch.nn import functional as F  # noqa: E402, N812

from models.contract import read_card  # noqa: E402
from models.preprocess import prepare  # noqa: E402
from models.tools.embedder import IMAGENET_MEAN, IMAGENET_STD, Embedder  # noqa: E402
from models.tools.photos import open_rgb, read_photos  # noqa: E402
from models.tools.resnet import ResNet, as_float  # noqa: E402
from models.training.onnx_to_weights import unfold  # noqa: E402

SHIPPED = Path(__file__).parents[2] / "models" / "resnet18.onnx"


def test_unfolded_the_shipped_file_places_photos_as_before_and_can_be_trained(photo_folder: Path) -> None:
    card = read_card(SHIPPED)
    images = [open_rgb(photo.content) for photo in read_photos([photo_folder])]
    batch = np.stack([prepare(image, card) for image in images])
    pixels = torch.from_numpy(batch).permute(0, 3, 1, 2)
    expected = Embedder(SHIPPED).embed_pixels(batch)

    state = unfold(SHIPPED, "resnet18", pixels)

    network = ResNet("resnet18")
    mean_feature = state.pop("mean_feature")
    network.load(state)
    inputs = as_float(pixels, IMAGENET_MEAN, IMAGENET_STD)
    with torch.inference_mode():
        resting = F.normalize(network.eval()(inputs) - mean_feature).numpy()
        training = F.normalize(network.train()(inputs) - mean_feature).numpy()
    assert (resting * expected).sum(axis=1).min() > 0.98  # the file rounds activations too
    assert (training * expected).sum(axis=1).min() > 0.98  # the statistics of a batch are those that were stored


def test_another_depth_is_refused(tiny_model: Path) -> None:
    with pytest.raises(ValueError, match=r"conv1\.weight is \(8, 3, 7, 7\) and must be \(64, 3, 7, 7\)"):
        unfold(tiny_model, "resnet18", torch.zeros(2, 3, 32, 32, dtype=torch.uint8))
