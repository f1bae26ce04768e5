"""The model that ships: the file that the default setting names."""

from pathlib import Path

from lookalike.settings import Settings

MODEL: str = Settings.model_fields["model"].default
SHIPPED = Path(__file__).parents[2] / "models" / f"{MODEL}.onnx"
