"""Decodes image files to upright RGB in sRGB: for the worker, and for measuring models, which so see the same pixels.

Knows nothing of paths or reasons: what it raises is turned into a reason by the worker (worker/inference/decoder.py).
"""

from models.decoding.opening import DECODER_REVISION, DecodedFile, Limits, TooLarge, decode_file, register_formats

__all__ = ["DECODER_REVISION", "DecodedFile", "Limits", "TooLarge", "decode_file", "register_formats"]
