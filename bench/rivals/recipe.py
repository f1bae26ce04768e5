"""The tutorials' recipe: what people run who follow a page on image search with ONNX. One image at a time.

Open the photo with Pillow, decode it whole, resize, crop, normalise with NumPy, and run a session with its defaults,
which uses every core. Nothing is written anywhere: an upsert of each point by itself would only make it slower.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.onnx_runtime import ort

MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)
SHORT_SIDE_PX, CROP_PX = 256, 224


def tutorial(model: Path, paths: Sequence[Path]) -> float:
    """Images per second. `model` takes float32 [n, 3, 224, 224]."""
    session = ort.InferenceSession(str(model))
    name = session.get_inputs()[0].name
    session.run(None, {name: preprocess(paths[0])[None]})
    begun = time.perf_counter()
    for path in paths:
        session.run(None, {name: preprocess(path)[None]})
    return len(paths) / (time.perf_counter() - begun)


def preprocess(path: Path) -> NDArray[np.float32]:
    """float32 [3, 224, 224], normalised."""
    image = Image.open(path).convert("RGB")
    scale = SHORT_SIDE_PX / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR)
    left, top = (image.width - CROP_PX) // 2, (image.height - CROP_PX) // 2
    image = image.crop((left, top, left + CROP_PX, top + CROP_PX))
    pixels = np.asarray(image, dtype=np.float32) / 255
    return ((pixels - MEAN) / STD).transpose(2, 0, 1).astype(np.float32)
