"""The execution providers of ONNX Runtime: its own CPU kernels, OpenVINO's, or a GPU. Independent of the index.

Each computes with one thread: there is one process per core (docs/decisions/0007-worker.md).
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from lookalike.errors import Misconfigured
from models.onnx_runtime import ort

Provider = Literal["onnxruntime-cpu", "onnxruntime-openvino", "onnxruntime-cuda"]
# From the values of LOOKALIKE_PROVIDER to the names that are recorded with the index.
PROVIDERS: Mapping[str, Provider] = {
    "cpu": "onnxruntime-cpu",
    "openvino": "onnxruntime-openvino",
    "cuda": "onnxruntime-cuda",
}
CPU = PROVIDERS["cpu"]
THREADS = 1
OPENVINO_LIBRARY = "openvino_ep"
# Without a hint OpenVINO computes in bf16 wherever the CPU can, which is another embedding and, without AMX, half as
# fast; and it pins threads, so that two processes share one core: 220 images/s instead of 454 (2 Xeon cores).
OPENVINO_CONFIG = {
    "CPU": {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": str(THREADS), "ENABLE_CPU_PINNING": "NO"}
}


def installed_providers() -> list[Provider]:
    """The providers that could be tried here, judged by the installed packages and without loading any."""
    found = [CPU]
    if find_spec("onnxruntime_ep_openvino") is not None:
        found.append(PROVIDERS["openvino"])
    if "CUDAExecutionProvider" in ort.get_available_providers():
        found.append(PROVIDERS["cuda"])
    return found


def open_session(path: Path, provider: str) -> ort.InferenceSession:
    """The model, loaded. Raises Misconfigured, with the remedy, if this provider cannot be used here."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if provider == CPU:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    if provider == PROVIDERS["openvino"]:
        options.add_provider_for_devices([_openvino_cpu()], {"load_config": json.dumps(OPENVINO_CONFIG)})
        return _require_provider(ort.InferenceSession(str(path), options), "OpenVINOExecutionProvider")
    if provider == PROVIDERS["cuda"]:
        if "CUDAExecutionProvider" not in ort.get_available_providers():
            raise Misconfigured(
                "There is no onnxruntime for CUDA here: pip uninstall onnxruntime && pip install 'lookalike[gpu]', "
                "or set LOOKALIKE_PROVIDER=cpu."
            )
        order = ["CUDAExecutionProvider", "CPUExecutionProvider"]
        return _require_provider(ort.InferenceSession(str(path), options, providers=order), "CUDAExecutionProvider")
    raise Misconfigured(f"The index was made with {provider!r}, which this version does not know: use a newer one.")


def _require_provider(session: ort.InferenceSession, wanted: str) -> ort.InferenceSession:
    """The session. ONNX Runtime falls back to its CPU kernels with at most a warning, and gives other embeddings."""
    if wanted not in session.get_providers():
        raise Misconfigured(f"{wanted} cannot be used on this machine (its log says why): set LOOKALIKE_PROVIDER=cpu.")
    return session


def _openvino_cpu() -> Any:
    _register_openvino()
    for device in ort.get_ep_devices():
        if device.ep_metadata.get("ov_device") == "CPU":
            return device
    raise Misconfigured(
        "OpenVINO's plugin does not offer this processor (it knows Intel's alone): set LOOKALIKE_PROVIDER=cpu."
    )


@cache
def _register_openvino() -> None:
    """Registers the plugin, once in a process: a second time is an error."""
    try:
        import onnxruntime_ep_openvino as plugin  # noqa: PLC0415 - loading it costs 50 MB, and it is rarely there
    except ImportError:
        raise Misconfigured(
            "OpenVINO is not installed: pip install 'lookalike[openvino]', or set LOOKALIKE_PROVIDER=cpu."
        ) from None
    ort.register_execution_provider_library(OPENVINO_LIBRARY, plugin.get_library_path())
