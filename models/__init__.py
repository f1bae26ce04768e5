"""The ONNX models: what a model file must be, how ours is made, measured and fetched."""

import os

# Since 1.29 the wheels of ONNX Runtime report sessions and models to its maker, on Linux too: with a device id in
# ~/.cache, and a host that each process looks up for ever. The variable is read when the library is loaded, and so
# before models/onnx_runtime.py, from which all of ours take it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
