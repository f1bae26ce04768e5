"""The ResNet family in plain PyTorch, with torchvision's parameter names.

So a state dict published for torchvision's resnet18, 34, 50, 101 or 152 loads unchanged, and nothing here
needs torchvision. Knows nothing of training, ONNX or files. Architecture: He et al., arXiv:1512.03385; the
stride of a bottleneck sits on its 3x3 convolution, as in torchvision ("ResNet v1.5"), or with `v1` on its first 1x1,
as in the paper and in Keras.
"""

# torch is not installed where the checks run; its classes are Any there.
# mypy: allow-subclassing-any
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # the name everybody knows it by

STAGE_CHANNELS = (64, 128, 256, 512)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut: [n, in, h, w] -> [n, channels, h / stride, w / stride]."""

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int, *, v1: bool) -> None:  # noqa: ARG002  # the same
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = _shortcut(in_channels, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """One residual step."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions around a shortcut: [n, in, h, w] -> [n, 4 channels, h / stride, w / stride]."""

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int, *, v1: bool) -> None:
        super().__init__()
        first, second = (stride, 1) if v1 else (1, stride)
        self.conv1 = nn.Conv2d(in_channels, channels, 1, first, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, second, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, channels * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels * self.expansion)
        self.downsample = _shortcut(in_channels, channels * self.expansion, stride)

    def forward(self, x: Tensor) -> Tensor:
        """One residual step."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


@dataclass(frozen=True)
class Depth:
    """One member of the family: its block and how many of them each of the four stages has."""

    block: type[BasicBlock] | type[Bottleneck]
    blocks: tuple[int, int, int, int]

    @property
    def dimension(self) -> int:
        """Length of the pooled feature."""
        return STAGE_CHANNELS[-1] * self.block.expansion


DEPTHS = {
    "resnet18": Depth(BasicBlock, (2, 2, 2, 2)),
    "resnet34": Depth(BasicBlock, (3, 4, 6, 3)),
    "resnet50": Depth(Bottleneck, (3, 4, 6, 3)),
    "resnet101": Depth(Bottleneck, (3, 4, 23, 3)),
    "resnet152": Depth(Bottleneck, (3, 8, 36, 3)),
}


class ResNet(nn.Module):
    """Normalised float32 [n, 3, h, w] -> the pooled feature, float32 [n, dimension], every value >= 0.

    There is no classifier (`fc`): an embedding has no use for it, and `load` leaves it out.
    """

    def __init__(self, depth: str, *, v1: bool = False) -> None:
        super().__init__()
        if depth not in DEPTHS:
            raise ValueError(f"{depth!r} is no ResNet known here: take one of {', '.join(DEPTHS)}")
        plan = DEPTHS[depth]
        self.depth = depth
        self.dimension = plan.dimension
        self.conv1 = nn.Conv2d(3, STAGE_CHANNELS[0], 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(STAGE_CHANNELS[0])
        in_channels = STAGE_CHANNELS[0]
        for number, (channels, count) in enumerate(zip(STAGE_CHANNELS, plan.blocks, strict=True), start=1):
            stage = []
            for position in range(count):
                stride = 2 if number > 1 and position == 0 else 1
                stage.append(plan.block(in_channels, channels, stride, v1=v1))
                in_channels = channels * plan.block.expansion
            self.add_module(f"layer{number}", nn.Sequential(*stage))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Global average pooling included."""
        return self.last_two(x)[0]

    def last_two(self, x: Tensor, after: int = 0, window: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The pooled features of the last stage, float32 [n, dimension], and of the one before it.

        x: pixels or, with `after`, the maps that this stage made; window: the share that each place of the map before
        the last has in its feature, float32 [h, w] with the sum 1. All have the same if there is none.
        """
        y = x if after > 0 else F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, padding=1)
        for number in range(after + 1, len(STAGE_CHANNELS)):
            y = self.get_submodule(f"layer{number}")(y)
        last = self.get_submodule(f"layer{len(STAGE_CHANNELS)}")(y)
        before = y.mean(dim=(2, 3)) if window is None else (y * window).sum(dim=(2, 3))
        return last.mean(dim=(2, 3)), before

    def load(self, state: dict[str, Tensor]) -> None:
        """Takes a state dict with torchvision's names; `fc.*` is left out.

        Raises ValueError, naming the first difference, when the weights are another network's.
        """
        wanted = self.state_dict()
        given = {name: value for name, value in state.items() if not name.startswith("fc.")}
        # Files older than PyTorch 0.4 lack these counters; only training with momentum=None reads them.
        counters = {name for name in wanted if name.endswith("num_batches_tracked")}
        for name in sorted(wanted.keys() - given.keys() - counters):
            raise ValueError(f"these are no weights of a {self.depth}: {name} is missing")
        for name in sorted(given.keys() - wanted.keys()):
            raise ValueError(f"these are no weights of a {self.depth}: it has no {name}")
        for name, value in given.items():
            if value.shape != wanted[name].shape:
                found, expected = tuple(value.shape), tuple(wanted[name].shape)
                raise ValueError(f"these are no weights of a {self.depth}: {name} is {found}, not {expected}")
        self.load_state_dict(wanted | given)


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels))


def as_float(pixels: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """uint8 [n, 3, h, w] RGB -> float32 of the same shape, (x / 255 - mean) / std for each channel."""
    scale = torch.tensor([1 / (255 * value) for value in std]).view(1, 3, 1, 1)
    shift = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)]).view(1, 3, 1, 1)
    return pixels.float() * scale + shift
