"""Training that can be stopped, that says what it does, and whose result can be exported."""

import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'lookalike[train]'")

from models.contract import read_card  # noqa: E402
from models.tools import export  # noqa: E402
from models.tools.embedder import Embedder  # noqa: E402
from models.tools.metadata import Origin  # noqa: E402
from models.tools.photos import open_rgb, read_photos  # noqa: E402
from models.tools.resnet import ResNet  # noqa: E402
from models.tools.retrieval import normalised  # noqa: E402
from models.training import fit_heads  # noqa: E402
from models.training.distill import main, run, teacher_of  # noqa: E402
from models.training.learning import Plan  # noqa: E402
from models.training.sharper import Sharper  # noqa: E402
from models.training.split import draw_up  # noqa: E402
from models.training.student import Student  # noqa: E402
from models.training.teacher import Teacher, TeacherDataset, build_lesson, load_lesson  # noqa: E402
from models.training.trunk import Trunk  # noqa: E402
from models.training.validate import examine  # noqa: E402

PLAN = Plan(
    depth="resnet18",
    v1=False,
    train_px=32,
    px=40,
    frozen=1,
    epochs=2,
    batch=8,
    peak_rate=2e-5,
    warm_up=0.5,
    cool_down=1,
    average=0.5,
    seed=0,
    bfloat16=False,
    labelled=("photos",),
    held_out=(),
)


def colour_grid(path: Path, kind: int, shape: list[str | int], nodes: list[onnx.NodeProto]) -> Teacher:
    """A model that sees colours in a coarse grid, 3 x 4 x 4 values, from 64 px."""
    nodes.append(helper.make_node("AveragePool", ["planes"], ["pooled"], kernel_shape=[16, 16], strides=[16, 16]))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["features"], axis=1))
    pixels = helper.make_tensor_value_info("pixels", kind, shape)
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 48])
    graph = helper.make_graph(nodes, "grid", [pixels], [features])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return Teacher(path, 64)


@pytest.fixture(scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory) -> list[Teacher]:
    """One of each kind: of normalised floats, channels first, and of bytes as they are."""
    folder = tmp_path_factory.mktemp("teachers")
    as_planes = helper.make_node("Transpose", ["floats"], ["planes"], perm=[0, 3, 1, 2])
    as_floats = helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT)
    same = helper.make_node("Identity", ["pixels"], ["planes"])
    return [
        colour_grid(folder / "float.onnx", TensorProto.FLOAT, ["n", 3, 64, 64], [same]),
        colour_grid(folder / "bytes.onnx", TensorProto.UINT8, ["n", "h", "w", 3], [as_floats, as_planes]),
    ]


@pytest.fixture(scope="module")
def lesson(teachers: list[Teacher], photo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> TeacherDataset:
    cache = tmp_path_factory.mktemp("lesson")
    return build_lesson(read_photos([photo_folder]), teachers, cache, px=48, processes=1)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a backbone alone, as they are published."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("start") / "resnet18.pt"
    torch.save(ResNet("resnet18").state_dict(), path)
    return path


@pytest.fixture(scope="module")
def trained(lesson: TeacherDataset, start: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run by PLAN that nothing broke."""
    folder = tmp_path_factory.mktemp("trained")
    run(lesson, PLAN, folder, start=start)
    return folder


def weights(path: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(path, weights_only=True)
    return state


def log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_the_teachers_are_asked_once_and_each_has_the_same_say(
    lesson: TeacherDataset, teachers: list[Teacher], photo_folder: Path, tmp_path: Path
) -> None:
    first = build_lesson(read_photos([photo_folder]), teachers, tmp_path, px=48, processes=1)
    written = [path.stat().st_mtime_ns for path in tmp_path.iterdir()]
    again = build_lesson(read_photos([photo_folder]), teachers, tmp_path, px=48, processes=1)

    assert lesson.pixels.shape == (18, 48, 48, 3)
    assert lesson.features.shape == (18, 96)
    for part in (lesson.features[:, :48], lesson.features[:, 48:]):
        assert np.linalg.norm(part.astype(np.float32), axis=1) == pytest.approx(1, abs=1e-3)
    assert lesson.label.tolist() == ["blue"] * 6 + ["green"] * 6 + ["red"] * 6
    assert (again.features == first.features).all()
    assert [path.stat().st_mtime_ns for path in tmp_path.iterdir()] == written


def test_a_stopped_run_goes_on_and_ends_where_an_unbroken_one_does(
    lesson: TeacherDataset, start: Path, trained: Path, tmp_path: Path
) -> None:
    class Killed(Exception):  # what a kill looks like from outside
        pass

    def kill_after_one_epoch(line: dict[str, Any]) -> None:
        if line["epoch"] == 1:
            raise Killed

    with pytest.raises(Killed):
        run(lesson, PLAN, tmp_path, start=start, report=kill_after_one_epoch)
    run(lesson, PLAN, tmp_path, start=start)

    unbroken, stopped = weights(trained / "student.pt"), weights(tmp_path / "student.pt")
    assert unbroken.keys() == stopped.keys()
    assert all(torch.equal(unbroken[name], stopped[name]) for name in unbroken)


def test_it_learns_but_for_the_stages_that_are_frozen(start: Path, trained: Path) -> None:
    before, after = weights(start), weights(trained / "student.pt")

    assert torch.equal(before["layer1.1.conv2.weight"], after["layer1.1.conv2.weight"])
    assert not torch.equal(before["layer2.0.conv1.weight"], after["layer2.0.conv1.weight"])
    assert log(trained)[2]["cosine"] < log(trained)[1]["cosine"]


def test_each_epoch_is_logged_with_its_losses_and_time(trained: Path) -> None:
    lines = log(trained)

    assert [line["epoch"] for line in lines] == [0, 1, 2]
    assert {"cosine", "likeness", "label", "copy", "spread", "took_s"} <= lines[1].keys()


def test_heads_made_in_closed_form_are_better_than_chance_before_any_step(
    lesson: TeacherDataset, start: Path, tmp_path: Path
) -> None:
    unlearned = replace(PLAN, epochs=0)
    run(lesson, unlearned, tmp_path, start=start)
    syllabus = draw_up(lesson.features, lesson.label, lesson.source, dimensions=256, seed=0)
    student = Student("resnet18", 256, 256, 3, v1=False)
    assert student.take(weights(tmp_path / "student.pt"))

    everything = replace(syllabus, seen=np.arange(len(lesson.label)), unseen=np.array([], dtype=np.int64))
    figures = examine(student, Trunk(tmp_path / "trunk40.onnx"), lesson, everything, PLAN)

    assert figures["seen_cosine"] > 0.1  # chance: 0
    assert figures["seen_map"] > 0.6  # chance: 0.3
    assert figures["seen_target_map"] > 0.9  # the classes are colours, and the teachers see colours
    assert figures["crop50"] > 0.2  # chance: 1 in 18


def test_a_finished_run_has_nothing_left_to_do(lesson: TeacherDataset, start: Path, trained: Path) -> None:
    before = (trained / "log.jsonl").read_text()

    run(lesson, PLAN, trained, start=start)

    assert (trained / "log.jsonl").read_text() == before


def test_another_plan_over_an_old_checkpoint_is_refused(lesson: TeacherDataset, start: Path, trained: Path) -> None:
    with pytest.raises(ValueError, match="belongs to the plan"):
        run(lesson, replace(PLAN, seed=1), trained, start=start)


def test_from_a_tar_by_command_to_a_model_file_of_two_outputs_and_on_from_there(
    teachers: list[Teacher], start: Path, photo_folder: Path, tmp_path: Path
) -> None:
    with tarfile.open(tmp_path / "photos.tar.gz", "w:gz") as archive:
        archive.add(photo_folder, arcname=".")
    arguments = [str(tmp_path / "photos.tar.gz"), "--teacher", *(f"{each.path}:{each.px}" for each in teachers)]
    arguments += ["--threads", "1", "--depth", "resnet18", "--px", "32", "--train-px", "32"]
    arguments += ["--epochs", "1", "--batch", "8"]
    model = tmp_path / "model.onnx"
    exporting = ["resnet18", str(model), "--photos", str(photo_folder), "--size", "32", "--resize", "stretch"]
    exporting += ["--source", "here", "--licence", "none", "--weights", str(tmp_path / "first" / "student.pt")]

    main([*arguments, "--out", str(tmp_path / "first"), "--start", str(start), "--workers", "0"])
    assert export.main(exporting) == 0
    main([*arguments, "--out", str(tmp_path / "second"), "--start", str(model), "--workers", "1"])

    card = read_card(model)
    assert (card.dimension, card.copy_dimension) == (256, 256)
    assert [line["epoch"] for line in log(tmp_path / "second")] == [0, 1]


def test_an_embedding_is_what_is_in_the_picture_and_how_it_looks_in_the_share_of_each(
    teachers: list[Teacher], start: Path, photo_folder: Path, tmp_path: Path
) -> None:
    lesson = build_lesson(read_photos([photo_folder]), teachers, tmp_path / "lesson", px=48, processes=1)
    run(lesson, replace(PLAN, epochs=0), tmp_path, start=start)
    options = ["--depth", "resnet18", "--px", "40", "--most", "10", "--out", str(tmp_path / "fitted.pt")]
    fit_heads.main([str(tmp_path), *options])

    made = []
    origin = Origin("made", "made by the tests", "none")
    for name in ("student", "fitted"):
        model, photos = tmp_path / f"{name}.onnx", list(read_photos([photo_folder]))
        state = weights(tmp_path / f"{name}.pt")
        export.export(state, "resnet18", model, origin=origin, size_px=40, resize="stretch", photos=photos)
        embedding, copies = Embedder(model).describe([open_rgb(photo.content) for photo in photos])
        assert copies.shape == (18, 256)
        made.append(embedding)

    student, fitted = made
    what, how = fitted[:, : fit_heads.DIMENSION], fitted[:, fit_heads.DIMENSION :]
    # The network of these tests has 256 features before its last stage.
    assert (student.shape, how.shape) == ((18, 256), (18, 256))
    assert normalised(what) == pytest.approx(normalised(student[:, : fit_heads.DIMENSION]), abs=1e-4)
    shares = np.linalg.norm(how, axis=1) / np.linalg.norm(what, axis=1)
    assert shares == pytest.approx(fit_heads.SHARE, abs=1e-4)
    # Whitened components are centred: photos do not all look alike.
    assert np.median(normalised(how) @ normalised(how).T) < 0.5


def test_labels_that_are_not_to_be_learned_are_not_looked_at(
    lesson: TeacherDataset, start: Path, tmp_path: Path
) -> None:
    blind = replace(PLAN, labelled=(), epochs=1)
    shuffled = replace(lesson, label=lesson.label[::-1].copy())

    for name, photos in (("one", lesson), ("two", shuffled)):
        (tmp_path / name).mkdir()
        run(photos, blind, tmp_path / name, start=start)

    one, two = weights(tmp_path / "one" / "student.pt"), weights(tmp_path / "two" / "student.pt")
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_what_a_sharper_network_makes_of_each_view_is_learned(
    lesson: TeacherDataset, start: Path, tmp_path: Path
) -> None:
    plan = replace(PLAN, sharper=48, peak_rate=1e-4, cool_down=0.01)
    run(lesson, plan, tmp_path, start=start, sharper=start)

    first, second = (line["sharper"] for line in log(tmp_path)[1:])
    assert 0 < second < first
    assert "sharper.weight" not in weights(tmp_path / "student.pt")
    with np.load(tmp_path / "sharper48.npz") as basis:
        made = Sharper(tmp_path / "sharper48.onnx", (basis["weight"], basis["bias"]), 48).targets(lesson.pixels)
    assert made.shape == (18, 256)
    assert np.linalg.norm(made, axis=1) == pytest.approx(1, abs=1e-5)
    # Components are centred: photos do not all look alike.
    assert np.median(made @ made.T) < 0.5


def test_of_more_photos_a_quarter_is_shown_in_an_epoch(
    teachers: list[Teacher], start: Path, photo_folder: Path, tmp_path: Path
) -> None:
    arguments = [str(photo_folder), "--some-of", str(photo_folder), "--start", str(start), "--out", str(tmp_path)]
    arguments += ["--teacher", *(f"{each.path}:{each.px}" for each in teachers), "--threads", "1"]
    main([*arguments, "--depth", "resnet18", "--px", "32", "--train-px", "32", "--epochs", "1", "--batch", "1"])

    lesson = load_lesson(tmp_path / "lesson")
    syllabus = draw_up(lesson.features, lesson.label, lesson.source, dimensions=4, seed=0, regular=18)
    saved = weights(tmp_path / "checkpoint.pt")
    assert json.loads(saved["plan"])["regular"] == 18
    # A descriptor of each photo that was shown is kept.
    assert len(saved["queue"]) == len(syllabus.train) + len(syllabus.more) // 4


def test_the_rate_rises_to_the_peak_and_falls_to_nothing() -> None:
    plan = replace(PLAN, peak_rate=2.0, epochs=8, warm_up=0.5, cool_down=2)

    assert plan.rate(0.25) == pytest.approx(1.0, abs=0.01)
    assert plan.rate(0.5) == plan.rate(6) == 2.0
    assert plan.rate(7) == pytest.approx(1.0)
    assert plan.rate(8) == 0.0


def test_a_run_may_be_given_more_epochs_while_it_goes_on(lesson: TeacherDataset, start: Path, tmp_path: Path) -> None:
    run(lesson, replace(PLAN, epochs=1), tmp_path, start=start)
    run(lesson, PLAN, tmp_path, start=start)

    assert [line["epoch"] for line in log(tmp_path)] == [0, 1, 2]


def test_a_teacher_is_named_by_its_file_and_the_side_of_its_input() -> None:
    assert teacher_of("a/b.onnx:240") == Teacher(Path("a/b.onnx"), 240)
    assert teacher_of("C:/b.onnx") == Teacher(Path("C:/b.onnx"), 224)
