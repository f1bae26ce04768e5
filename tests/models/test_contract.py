"""models/contract.py: which model files are taken, and what is said of the others."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from models.contract import ContractBroken, ModelCard, card_of, read_card
from models.onnx_runtime import ort
from models.tools.embedder import Embedder
from models.tools.metadata import fingerprint


def changed(model: Path, path: Path, change: Callable[[onnx.ModelProto], None]) -> Path:
    """A copy of the model file with one thing wrong."""
    proto = onnx.load(model)
    change(proto)
    onnx.save(proto, path)
    return path


def set_metadata(**fields: str | None) -> Callable[[onnx.ModelProto], None]:
    def change(proto: onnx.ModelProto) -> None:
        metadata: dict[str, str | None] = {entry.key: entry.value for entry in proto.metadata_props}
        metadata |= {f"lookalike.{name}": value for name, value in fields.items()}
        del proto.metadata_props[:]
        onnx.helper.set_model_props(proto, {key: value for key, value in metadata.items() if value is not None})

    return change


def test_a_model_file_says_what_it_is(tiny_model: Path) -> None:
    card = read_card(tiny_model)

    assert (card.name, card.height_px, card.width_px, card.resize) == ("tiny", 32, 32, "stretch")
    assert (card.dimension, card.precision) == (24, "fp32")
    assert (card.source, card.licence) == ("made by the tests", "Apache-2.0")
    assert len(card.fingerprint) == 64


def test_an_open_session_gives_the_same_card(tiny_model: Path) -> None:
    session = ort.InferenceSession(str(tiny_model), providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map

    assert card_of(metadata, session.get_inputs(), session.get_outputs()) == read_card(tiny_model)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("contract", None, "lookalike.contract is none"),
        ("contract", "3", "lookalike.contract is '3' and must be '1' or '2'"),
        ("name", None, "lookalike.name is missing"),
        ("name", " ", "lookalike.name is missing or empty"),
        ("height_px", None, "lookalike.height_px is missing"),
        ("height_px", "-3", "lookalike.height_px is '-3' and must be a whole number"),
        ("width_px", "33", r"\[batch, 32, 33, 3\]"),
        ("resize", "pad", "must be 'stretch' or 'crop:F'"),
        ("dimension", "25", r"'embedding', tensor\(float\) \[batch, 25\]"),
        ("source", None, "lookalike.source is missing"),
        ("licence", None, "lookalike.licence is missing"),
        ("precision", "fp16", "'fp16' and must be fp32 or int8"),
        ("fingerprint", "abc", "'abc' is no SHA-256"),
    ],
)
def test_wrong_metadata_is_named_and_the_export_command_given(
    tiny_model: Path, tmp_path: Path, field: str, value: str | None, said: str
) -> None:
    path = changed(tiny_model, tmp_path / "wrong.onnx", set_metadata(**{field: value}))

    with pytest.raises(ContractBroken, match=said) as refused:
        read_card(path)

    assert str(path) in str(refused.value)
    assert "python -m models.export" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_of_contract_1_loads_and_says_that_it_knows_no_copies(tiny_model: Path, tmp_path: Path) -> None:
    card = read_card(changed(tiny_model, tmp_path / "first.onnx", set_metadata(contract="1")))

    assert card == read_card(tiny_model)
    assert (card.copy_dimension, card.near, card.similar) == (None, None, None)


def test_a_copy_descriptor_and_its_thresholds_are_read(tiny_copy_model: Path) -> None:
    card = read_card(tiny_copy_model)

    assert (card.dimension, card.copy_dimension, card.near, card.similar) == (10, 6, 0.9, 0.5)
    assert Embedder(tiny_copy_model).knows_copies


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("copy_dimension", "7", r"2 outputs .*'copy', tensor\(float\) \[batch, 7\]"),
        ("copy_dimension", None, "2 outputs and must have one output 'embedding'"),
        ("near", "1.2", "lookalike.near is '1.2' and must be a number from 0 to 1"),
        ("similar", "half", "lookalike.similar is 'half' and must be a number"),
    ],
)
def test_a_wrong_copy_descriptor_or_threshold_is_named(
    tiny_copy_model: Path, tmp_path: Path, field: str, value: str | None, said: str
) -> None:
    path = changed(tiny_copy_model, tmp_path / "wrong.onnx", set_metadata(**{field: value}))

    with pytest.raises(ContractBroken, match=said):
        read_card(path)


def test_thresholds_are_no_part_of_the_fingerprint(
    tiny_copy_model: Path, tmp_path: Path, write_tiny: Callable[..., ModelCard]
) -> None:
    card = read_card(tiny_copy_model)

    other = write_tiny(tmp_path / "other.onnx", card=replace(card, near=0.8, similar=None))

    assert other.fingerprint == card.fingerprint
    assert (other.near, other.similar) == (0.8, None)


def float_input(proto: onnx.ModelProto) -> None:
    proto.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT


def fixed_batch(proto: onnx.ModelProto) -> None:
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


def another_name(proto: onnx.ModelProto) -> None:
    proto.graph.input[0].name = "pixels_in"
    proto.graph.node[0].input[0] = "pixels_in"


def two_outputs(proto: onnx.ModelProto) -> None:
    proto.graph.output.append(onnx.helper.make_tensor_value_info("feature", onnx.TensorProto.FLOAT, ["batch", 24]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (float_input, r"the input is 'image', tensor\(float\)"),
        (fixed_batch, "batch free"),
        (another_name, "'pixels_in'"),
        (two_outputs, "2 outputs"),
    ],
)
def test_a_graph_that_does_not_fit_is_refused(
    tiny_model: Path, tmp_path: Path, change: Callable[[onnx.ModelProto], None], said: str
) -> None:
    path = changed(tiny_model, tmp_path / "wrong.onnx", change)

    with pytest.raises(ContractBroken, match=said):
        read_card(path)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07" * 500])
def test_a_file_that_is_no_onnx_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(content)

    with pytest.raises(ContractBroken, match=r"no ONNX model that can be loaded") as refused:
        read_card(path)

    assert "python -m models.export" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(ContractBroken, match=r"no model file .*nowhere\.onnx"):
        read_card(tmp_path / "nowhere.onnx")


def test_other_weights_or_another_input_have_another_fingerprint(
    tmp_path: Path, tiny_model: Path, write_tiny: Callable[..., ModelCard]
) -> None:
    one = read_card(tiny_model)
    same = write_tiny(tmp_path / "same.onnx", seed=0)
    other = write_tiny(tmp_path / "other.onnx", seed=1)
    larger = write_tiny(tmp_path / "larger.onnx", card=replace(one, height_px=64, width_px=64))
    cropped = write_tiny(tmp_path / "cropped.onnx", card=replace(one, resize="crop:1"))

    assert same.fingerprint == one.fingerprint
    assert len({card.fingerprint for card in (one, other, larger, cropped)}) == 4


def test_the_fingerprint_knows_each_value_but_not_the_order_in_the_file(tiny_model: Path) -> None:
    model, card = onnx.load(tiny_model), read_card(tiny_model)
    shuffled = list(reversed(model.graph.initializer))
    del model.graph.initializer[:]
    model.graph.initializer.extend(shuffled)

    assert fingerprint(model, card) == card.fingerprint

    values = onnx.numpy_helper.to_array(model.graph.initializer[0]).copy()
    values.flat[0] = np.nextafter(values.flat[0], np.float32(9))
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(values, model.graph.initializer[0].name))
    assert fingerprint(model, card) != card.fingerprint


def test_what_does_not_fit_its_card_is_never_written(tmp_path: Path, write_tiny: Callable[..., ModelCard]) -> None:
    card = write_tiny(tmp_path / "right.onnx")

    with pytest.raises(ContractBroken, match="dimension"):
        write_tiny(tmp_path / "wrong.onnx", card=replace(card, dimension=0))

    assert [path.name for path in tmp_path.iterdir()] == ["right.onnx"]
