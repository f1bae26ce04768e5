"""ONNX Runtime: imported from here, so that it is told to report nothing before it is loaded (models/__init__.py)."""

import onnxruntime as ort

__all__ = ["ort"]
