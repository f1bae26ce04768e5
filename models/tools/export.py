"""Turns ResNet weights into a model file of the contract, and proves that both compute the same.

    python -m models.export resnet18 MODEL.onnx --photos FOLDER --weights STATE_DICT.pt
    python -m models.export resnet50 MODEL.onnx --photos FOLDER

The weights may hold the two heads of models/training/distill.py; then the file has the output `copy` too.
Without --weights torchvision's published ones are downloaded. Needs torch and onnx; the worker needs neither.
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F  # noqa: N812

from models.contract import COPY, INPUT, OUTPUT, ModelCard
from models.preprocess import prepare
from models.tools.embedder import IMAGENET_MEAN, IMAGENET_STD, open_session
from models.tools.graph import DETAIL, DETAIL_SHARE, HEADS, resnet_graph, view_of
from models.tools.metadata import Origin, stamp
from models.tools.photos import Photo, open_rgb, read_photos
from models.tools.resnet import DEPTHS, ResNet, as_float
from models.tools.two_views import averaged, two_views
from models.tools.window import WINDOW, map_side

# Torchvision's first weights of each depth (IMAGENET1K_V1). The digits begin the file's SHA-256, which
# torch.hub checks.
PUBLISHED = {
    "resnet18": "https://download.pytorch.org/models/resnet18-f37072fd.pth",
    "resnet34": "https://download.pytorch.org/models/resnet34-b627a593.pth",
    "resnet50": "https://download.pytorch.org/models/resnet50-0676ba61.pth",
    "resnet101": "https://download.pytorch.org/models/resnet101-63fe2227.pth",
    "resnet152": "https://download.pytorch.org/models/resnet152-394f9c45.pth",
}
PUBLISHED_LICENCE = "BSD-3-Clause (torchvision); trained on ImageNet, whose terms are for research"
CHECKED_PHOTOS = 32
# Two float32 sums in another order differ by some 1e-6; a wrong recipe by 1e-2.
LARGEST_DIFFERENCE = 1e-4

Weights = dict[str, torch.Tensor]


class ExportDiffers(ValueError):
    """The ONNX file computes something else than PyTorch. A fault of ours or of the runtime: report it."""


def export(
    weights: Weights,
    depth: str,
    path: Path,
    *,
    origin: Origin,
    size_px: int,
    resize: str,
    photos: Sequence[Photo],
    views: int = 1,
    v1: bool = False,
) -> tuple[ModelCard, float]:
    """Writes the model file and checks it on `photos`; returns its card and the largest difference found.

    weights: torchvision's names, `fc.*` ignored, and what models/tools/graph.py knows besides; views: 1, or 2 for whole
    and middle; v1: where the stride of a bottleneck sits. Raises ValueError for weights of another network or a size
    that has no two views, and ExportDiffers above 1e-4; none leaves a file.
    """
    if len(photos) == 0:
        raise ValueError("no photos to check the export with: give a folder or tar file that holds some")
    network, extra = _network(weights, depth, v1=v1)
    side = map_side(size_px if views == 1 else view_of(size_px)[0])
    if WINDOW in extra and extra[WINDOW].shape != (side, side):
        raise ValueError(f"{WINDOW} is {tuple(extra[WINDOW].shape)} and must be {(side, side)} for {size_px} px")
    arrays = {name: value.numpy() for name, value in (network.state_dict() | extra).items()}
    model = resnet_graph(
        arrays,
        DEPTHS[depth].blocks,
        height_px=size_px,
        width_px=size_px,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        views=views,
        v1=v1,
    )
    dimensions = {output.name: output.type.tensor_type.shape.dim[1].dim_value for output in model.graph.output}
    card = ModelCard(
        name=origin.name,
        height_px=size_px,
        width_px=size_px,
        resize=resize,
        dimension=dimensions[OUTPUT],
        copy_dimension=dimensions.get(COPY),
        source=origin.source,
        licence=origin.licence,
        precision="fp32",
        fingerprint="",
    )
    unchecked = path.with_suffix(".unchecked.onnx")
    try:
        card = stamp(model, card, unchecked)
        batch = np.stack([prepare(open_rgb(photo.content), card) for photo in photos])
        found = open_session(unchecked).run(None, {INPUT: batch})
        expected = _reference(network, extra, batch, views)
        difference = max(float(np.abs(one - other).max()) for one, other in zip(found, expected, strict=True))
        if not difference <= LARGEST_DIFFERENCE:  # NaN is refused too
            raise ExportDiffers(f"ONNX Runtime and PyTorch differ by {difference:.1e}, more than {LARGEST_DIFFERENCE}")
        unchecked.replace(path)
    finally:
        unchecked.unlink(missing_ok=True)
    return card, difference


def _network(weights: Weights, depth: str, *, v1: bool) -> tuple[ResNet, Weights]:
    """The network, and what comes after it: `mean_feature` and heads, checked and in float32."""
    network = ResNet(depth, v1=v1).eval()
    state = {name: value for name, value in weights.items() if isinstance(value, torch.Tensor)}
    parts = [f"{head}.{part}" for head in (*HEADS.values(), DETAIL) for part in ("weight", "bias")]
    beyond = ["mean_feature", WINDOW, DETAIL_SHARE, *parts]
    extra = {name: state.pop(name).detach().float() for name in beyond if name in state}
    network.load(state)
    width = network.dimension
    before = width // 2
    columns = {"mean_feature": [width], f"{HEADS[OUTPUT]}.weight": [width], f"{DETAIL}.weight": [before]}
    columns[f"{HEADS[COPY]}.weight"] = [before, width + before]
    for name, counts in columns.items():
        if name in extra and extra[name].shape[-1] not in counts:
            known = " or ".join(map(str, counts))
            raise ValueError(f"{name} is {tuple(extra[name].shape)} and its last axis must be {known}")
    return network, extra


def _reference(network: ResNet, extra: Weights, batch: NDArray[np.uint8], views: int) -> list[NDArray[np.float32]]:
    """What PyTorch makes of photos: uint8 [n, h, w, 3] -> each output, float32 [n, d], L2 norm 1."""
    with torch.inference_mode():
        pixels = as_float(torch.from_numpy(batch).permute(0, 3, 1, 2), IMAGENET_MEAN, IMAGENET_STD)
        shown = pixels if views == 1 else two_views(pixels)
        last, before = network.last_two(shown, window=extra.get(WINDOW))
        if views != 1:
            last, before = averaged(last), averaged(before)
        both = torch.cat([last, before], dim=1)
        features = {OUTPUT: last - extra.get("mean_feature", torch.zeros(1)), COPY: before}
        outputs = []
        for name, head in HEADS.items():
            if f"{head}.weight" in extra:
                weight = extra[f"{head}.weight"]
                seen = both if weight.shape[1] == both.shape[1] else features[name]
                outputs.append(F.linear(seen, weight, extra[f"{head}.bias"]))
            elif name == OUTPUT:
                outputs.append(features[name])
            if name == OUTPUT and f"{DETAIL}.weight" in extra:
                detail = F.linear(before, extra[f"{DETAIL}.weight"], extra[f"{DETAIL}.bias"])
                shared = extra[DETAIL_SHARE] * F.normalize(detail, dim=1)
                outputs[-1] = torch.cat([F.normalize(outputs[-1], dim=1), shared], dim=1)
        return [F.normalize(output, dim=1).numpy() for output in outputs]


def published(url: str) -> Weights:
    """The weights at `url`, from PyTorch's cache or the network.

    Raises RuntimeError if they are not the ones whose checksum the file name begins, OSError without network.
    """
    state: Weights = torch.hub.load_state_dict_from_url(url, check_hash=True, weights_only=True, map_location="cpu")
    return state


def main(arguments: Sequence[str] | None = None) -> int:
    """The command lines above; exit code 1 with one sentence when the export is refused."""
    parser = argparse.ArgumentParser(
        prog="python -m models.export", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("depth", choices=sorted(DEPTHS))
    parser.add_argument("model", type=Path, help="the ONNX file to write")
    parser.add_argument("--photos", type=Path, required=True, help="folder or tar file to check the export with")
    parser.add_argument("--weights", type=Path, help="state dict with torchvision's names")
    parser.add_argument("--name", help="what the card calls it; the depth if not given")
    parser.add_argument("--size", type=int, default=224, help="input height and width in px")
    parser.add_argument("--resize", default="crop:0.875", help="rule of models/preprocess.py")
    parser.add_argument("--views", type=int, choices=(1, 2), default=1, help="2: the whole photo and its middle")
    parser.add_argument("--v1", action="store_true", help="stride on a bottleneck's first convolution, as in Keras")
    parser.add_argument("--source", help="where the weights come from; known for published ones")
    parser.add_argument("--licence", help="of the weights; known for published ones")
    given = parser.parse_args(arguments)
    if given.weights is not None and (given.source is None or given.licence is None):
        parser.error("--weights needs --source and --licence: the card says where weights come from")
    try:
        if given.weights is None:
            weights = published(PUBLISHED[given.depth])
            default = Origin(given.depth, PUBLISHED[given.depth], PUBLISHED_LICENCE)
        else:
            weights = torch.load(given.weights, map_location="cpu", weights_only=True)
            default = Origin(given.depth, given.source, given.licence)
        origin = Origin(given.name or default.name, given.source or default.source, given.licence or default.licence)
        card, difference = export(
            weights,
            given.depth,
            given.model,
            origin=origin,
            size_px=given.size,
            resize=given.resize,
            photos=list(islice(read_photos([given.photos]), CHECKED_PHOTOS)),
            views=given.views,
            v1=given.v1,
        )
    except (ValueError, OSError, RuntimeError) as error:
        print(f"not exported: {error}", file=sys.stderr)
        return 1
    print(f"exported {given.model} name={card.name} dimension={card.dimension} fingerprint={card.fingerprint[:12]}")
    print(f"largest difference to PyTorch on {CHECKED_PHOTOS} photos at most: {difference:.1e}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
