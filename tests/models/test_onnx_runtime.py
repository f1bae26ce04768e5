"""ONNX Runtime reports nothing to its maker, whichever of our modules loads it first."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tiny_model import tiny_model

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "program",
    [
        *(
            f"import {first}, sys; from models.onnx_runtime import ort; ort.InferenceSession(sys.argv[1])"
            for first in (
                "models.tools.quantize",
                "worker.inference.providers",
                "worker.inference.resting",
                "bench.rates",
            )
        ),
        "from lookalike.doctor.packages import check_extra; check_extra('worker', [])",
    ],
)
def test_it_leaves_nothing_in_the_home_folder(tmp_path: Path, program: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    model = tiny_model(tmp_path / "tiny.onnx")
    # None of the variables by which it knows a machine for tests, where it reports nothing anyway.
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}

    subprocess.run([sys.executable, "-c", program, str(model)], env=environment, cwd=tmp_path, check=True, timeout=60)

    # Else a device id and what is to be sent lie there at once.
    assert [path.name for path in home.rglob("*")] == []
