"""Varies training photos: cropped, mirrored, lighter or darker, sometimes grey. Tensors in, tensors out."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

# Crops of one size are cut by slicing and resampled together, so a batch has that many sizes, not one each.
GROUPS = 8
# The test shows whole pictures, so crops that show much less teach the wrong scale: after seven passes with sides of
# 0.65 and up, held-out photos were found better in their middle 0.875 than whole (mAP .485 to .461).
SMALLEST_SIDE = 0.75
GREY = 0.05
# ITU-R BT.601 luma
LUMA = (0.299, 0.587, 0.114)


def vary(pixels: Tensor, px: int, generator: torch.Generator) -> Tensor:
    """uint8 [n, h, w, 3] -> uint8 [n, 3, px, px], channels last: mirrored half of the time, cropped, relit.

    Each side of a crop is 0.75 to 1 times the photo's, width and height drawn apart: the network meets other
    proportions and scales than those of the store.
    """
    height, width = pixels.shape[1:3]
    parts = []
    for group in pixels.chunk(GROUPS):
        size = torch.empty(2).uniform_(SMALLEST_SIDE, 1.0, generator=generator)
        h, w = round(height * float(size[0])), round(width * float(size[1]))
        offset = torch.rand(len(group), 2, generator=generator)
        mirrored = torch.rand(len(group), generator=generator) < 0.5  # noqa: PLR2004
        top = (offset[:, 0] * (height - h + 1)).long().tolist()
        left = (offset[:, 1] * (width - w + 1)).long().tolist()
        cut = torch.stack([image[y : y + h, x : x + w] for image, y, x in zip(group, top, left, strict=True)])
        cut[mirrored] = cut[mirrored].flip(2)
        parts.append(shrink(cut, px))
    return relit(torch.cat(parts), generator)


def middle(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 [n, h, w, 3] -> the middle 80 % of each side."""
    height, width = pixels.shape[1:3]
    top, left = round(0.1 * height), round(0.1 * width)
    return pixels[:, top : height - top, left : width - left]


def shrink(pixels: Tensor, px: int) -> Tensor:
    """uint8 [n, h, w, 3] -> uint8 [n, 3, px, px], channels last, bicubic with antialiasing, as Pillow does it."""
    channels_last = pixels.permute(0, 3, 1, 2)
    if channels_last.shape[-2:] == (px, px):
        return channels_last
    return F.interpolate(channels_last, size=(px, px), mode="bicubic", antialias=True)


def relit(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """uint8 [n, 3, h, w] -> the same with contrast x 0.8 to 1.2, brightness +- 20 of 255, and 5 % made grey."""
    count = len(pixels)
    gain = torch.empty(count, 1, 1, 1).uniform_(0.8, 1.2, generator=generator)
    shift = torch.empty(count, 1, 1, 1).uniform_(-20, 20, generator=generator)
    grey = torch.rand(count, generator=generator) < GREY
    values = pixels.float()
    if grey.any():
        luma = (values[grey] * torch.tensor(LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
        values[grey] = luma.expand(-1, 3, -1, -1)
    return ((values - 128) * gain + 128 + shift).clamp_(0, 255).to(torch.uint8)
