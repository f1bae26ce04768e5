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

from models.tools.photos import read_photos  # noqa: E402
from models.training.augment import middle, shrink, vary  # noqa: E402
from models.training.distill import Plan, epochs_of, main, run  # noqa: E402
from models.training.split import draw_up  # noqa: E402
from models.training.student import Student, likeness_loss  # noqa: E402
from models.training.teacher import TeacherDataset, build_lesson  # noqa: E402
from models.training.validate import examine  # noqa: E402

SHIPPED = Path(__file__).parents[2] / "models" / "resnet18.onnx"
PLAN = Plan(epochs_px=(32, 32), peak_rate=0.05, warm_up=0.5, seed=0, bfloat16=False, likeness_weight=2.0, unlabelled=())


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A float model that sees colours in a coarse grid: 3 x 4 x 4 values."""
    nodes = [
        helper.make_node("AveragePool", ["input"], ["pooled"], kernel_shape=[56, 56], strides=[56, 56]),
        helper.make_node("Flatten", ["pooled"], ["features"], axis=1),
    ]
    pixels = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, 224, 224])
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 48])
    graph = helper.make_graph(nodes, "grid", [pixels], [features])
    path = tmp_path_factory.mktemp("teacher") / "grid.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture(scope="module")
def lesson(teacher: Path, photo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> TeacherDataset:
    cache = tmp_path_factory.mktemp("lesson")
    return build_lesson(read_photos([photo_folder]), teacher, cache, px=48, processes=1)


def weights(folder: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(folder / "student.pt", weights_only=True)
    return state


def test_the_teacher_is_asked_once(lesson: TeacherDataset, teacher: Path, photo_folder: Path, tmp_path: Path) -> None:
    first = build_lesson(read_photos([photo_folder]), teacher, tmp_path, px=48, processes=1)
    written = [path.stat().st_mtime_ns for path in tmp_path.iterdir()]
    again = build_lesson(read_photos([photo_folder]), teacher, tmp_path, px=48, processes=1)

    assert lesson.pixels.shape == (18, 48, 48, 3)
    assert lesson.features.shape == (18, 48)
    assert lesson.label.tolist() == ["blue"] * 6 + ["green"] * 6 + ["red"] * 6
    assert (again.features == first.features).all()
    assert [path.stat().st_mtime_ns for path in tmp_path.iterdir()] == written


@pytest.fixture(scope="module")
def trained(lesson: TeacherDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run by PLAN that nothing broke."""
    folder = tmp_path_factory.mktemp("trained")
    run(lesson, PLAN, folder)
    return folder


def test_a_stopped_run_goes_on_and_ends_where_an_unbroken_one_does(
    lesson: TeacherDataset, trained: Path, tmp_path: Path
) -> None:
    class Killed(Exception):  # what a kill looks like from outside
        pass

    def kill_after_one_epoch(line: dict[str, Any]) -> None:
        if line["epoch"] == 1:
            raise Killed

    with pytest.raises(Killed):
        run(lesson, PLAN, tmp_path, report=kill_after_one_epoch)
    run(lesson, PLAN, tmp_path)

    unbroken, stopped = weights(trained), weights(tmp_path)
    assert torch.equal(unbroken["conv1.weight"], stopped["conv1.weight"])
    assert torch.equal(unbroken["mean_feature"], stopped["mean_feature"])


def test_each_epoch_is_logged_with_its_size_loss_and_time(trained: Path) -> None:
    lines = [json.loads(line) for line in (trained / "log.jsonl").read_text().splitlines()]

    assert [(line["epoch"], line["px"]) for line in lines] == [(1, 32), (2, 32)]
    assert {"loss", "cosine", "took_s"} <= lines[0].keys()


def test_held_out_photos_are_examined_beside_the_teacher(lesson: TeacherDataset) -> None:
    nothing = np.array([], dtype=np.int64)
    rows = np.arange(len(lesson.label))
    syllabus = replace(draw_up(lesson.features, lesson.label, lesson.source, seed=0), seen=rows, unseen=nothing)

    figures = examine(Student(3), lesson, syllabus, 32, bfloat16=False)

    assert figures.keys() == {"seen_cosine", "seen_map", "seen_teacher_map", "crop80"}
    assert figures["seen_teacher_map"] > 0.9  # the classes are colours, and the teacher sees colours


def test_a_finished_run_has_nothing_left_to_do(lesson: TeacherDataset, trained: Path) -> None:
    before = (trained / "log.jsonl").read_text()

    run(lesson, PLAN, trained)

    assert (trained / "log.jsonl").read_text() == before


def test_another_plan_over_an_old_checkpoint_is_refused(lesson: TeacherDataset, trained: Path) -> None:
    with pytest.raises(ValueError, match="belongs to the plan"):
        run(lesson, replace(PLAN, seed=1), trained)


def test_it_learns_from_a_tar_by_command_and_goes_on_from_its_own_weights_or_the_shipped_file(
    teacher: Path, photo_folder: Path, tmp_path: Path
) -> None:
    with tarfile.open(tmp_path / "photos.tar.gz", "w:gz") as archive:
        archive.add(photo_folder, arcname=".")
    arguments = [str(tmp_path / "photos.tar.gz"), "--teacher", str(teacher), "--threads", "1", "--plan", "32x1"]

    main([*arguments, "--out", str(tmp_path / "first")])
    main([*arguments, "--out", str(tmp_path / "second"), "--start", str(tmp_path / "first" / "student.pt")])
    main([*arguments, "--out", str(tmp_path / "third"), "--start", str(SHIPPED)])

    for name in ("second", "third"):
        assert "mean_feature" in weights(tmp_path / name)
        assert "layer4.1.bn2.running_var" in weights(tmp_path / name)


@pytest.mark.parametrize("text", ["", "48", "48x", "x3", "48x0", "16x2", "50x2", "48x2;64x1"])
def test_a_schedule_that_makes_no_sense_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["photos", "--teacher", "t", "--out", "o", "--plan", text])

    assert "--plan" in capsys.readouterr().err


def test_a_schedule_names_the_size_of_each_epoch() -> None:
    assert epochs_of("48x2,64x1") == (48, 48, 64)


def test_the_rate_rises_to_the_peak_and_falls_to_nothing() -> None:
    plan = Plan((48,) * 4, peak_rate=2.0, warm_up=0.25, seed=0, bfloat16=False, likeness_weight=2.0, unlabelled=())

    assert plan.rate(0.125) == pytest.approx(1.0)
    assert plan.rate(0.25) == pytest.approx(2.0)
    assert plan.rate(0.625) == pytest.approx(1.0)
    assert plan.rate(1.0) == pytest.approx(0.0)


def test_photos_are_varied_alike_for_the_same_seed_and_stay_photos() -> None:
    pixels = torch.randint(0, 256, (16, 40, 40, 3), dtype=torch.uint8)

    one, same, other = (vary(pixels, 32, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))

    assert one.shape == (16, 3, 32, 32)
    assert one.dtype == torch.uint8
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_shrinking_is_what_prepare_does() -> None:
    from PIL import Image  # noqa: PLC0415

    from models.preprocess import prepare  # noqa: PLC0415
    from models.tools.embedder import Rule  # noqa: PLC0415

    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (112, 112, 3), dtype=np.uint8), "RGB")
    expected = prepare(image, Rule(64, 64, "stretch")).astype(int)

    found = shrink(torch.from_numpy(np.array(image))[None], 64)[0].permute(1, 2, 0).numpy().astype(int)

    assert np.abs(found - expected).max() <= 1


def test_likeness_asks_for_the_neighbours_that_the_teacher_sees() -> None:
    target = torch.nn.functional.normalize(torch.eye(6) + 0.1)

    same, scaled = likeness_loss(target, target), likeness_loss(5 * target, target)
    exchanged = likeness_loss(target.roll(1, dims=0), target)

    assert float(same) == pytest.approx(float(scaled), rel=1e-5)
    assert float(exchanged) > float(same) + 1


def test_labels_that_are_not_to_be_learned_are_not_looked_at(lesson: TeacherDataset, tmp_path: Path) -> None:
    blind = replace(PLAN, unlabelled=(str(lesson.source[0]),))
    shuffled = replace(lesson, label=lesson.label[::-1].copy())

    for name, photos in (("one", lesson), ("two", shuffled)):
        (tmp_path / name).mkdir()
        run(photos, blind, tmp_path / name)

    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert all(torch.equal(one[name], two[name]) for name in one if name != "classifier")


def test_the_middle_is_cut_out_of_each_photo() -> None:
    pixels = np.zeros((2, 10, 20, 3), dtype=np.uint8)
    pixels[:, 1:9, 2:18] = 255

    assert middle(pixels).shape == (2, 8, 16, 3)
    assert middle(pixels).min() == 255
