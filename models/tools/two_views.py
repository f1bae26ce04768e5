"""The two views of a photo whose features its embedding is made of: all of it, and its middle. Tensors in and out.

A photo and its cropped copy have one view nearly in common, so they find each other. What that gains and costs:
docs/decisions/0004-model.md. models/tools/graph.py builds the same for the exported file.
"""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from models.tools.graph import view_of


def two_views(photos: Tensor) -> Tensor:
    """float32 [n, c, size, size] -> [2n, c, px, px], px 0.8 of size: the whole photos, shrunk, then their middles.

    Raises ValueError for a size whose middle has no whole margins.
    """
    px, margin = view_of(photos.shape[-1])
    whole = F.interpolate(photos, size=(px, px), mode="bilinear", align_corners=False)
    return torch.cat([whole, photos[:, :, margin : margin + px, margin : margin + px]])


def averaged(features: Tensor) -> Tensor:
    """Features of `two_views`, [2n, d] -> [n, d]."""
    return features.view(2, -1, features.shape[1]).mean(dim=0)
