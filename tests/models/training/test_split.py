"""models/training/split.py: which photos are trained on, and what they should become."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.tools.evaluate import read_folder
from models.training.held_out import main
from models.training.split import draw_up, principal_components, whitened


@pytest.fixture
def photos() -> tuple[NDArray[np.float16], NDArray[np.str_], NDArray[np.str_]]:
    """A source of 50 classes of 10, one of 2 classes of 100, and 50 photos without a label."""
    rng = np.random.default_rng(0)
    label = [f"c{number // 10}" for number in range(500)] + ["c0"] * 100 + ["c1"] * 100 + [""] * 50
    source = ["many"] * 500 + ["few"] * 200 + ["web"] * 50
    features = rng.normal(1.0, 1.0, (750, 40)).astype(np.float16)
    return features, np.array(label), np.array(source)


def test_every_photo_is_in_exactly_one_part(photos) -> None:  # type: ignore[no-untyped-def]
    syllabus = draw_up(*photos, dimensions=16, seed=0)

    parts = np.concatenate([syllabus.train, syllabus.seen, syllabus.unseen])
    assert sorted(parts.tolist()) == list(range(750))
    assert len(syllabus.train) > 550
    assert len(syllabus.seen) > 0


def test_a_source_of_many_classes_gives_up_whole_classes_and_one_of_few_none(photos) -> None:  # type: ignore[no-untyped-def]
    _, label, source = photos
    syllabus = draw_up(*photos, dimensions=16, seed=0)

    assert set(source[syllabus.unseen]) == {"many"}
    assert len(set(label[syllabus.unseen])) == 10
    others = np.concatenate([syllabus.train, syllabus.seen])
    assert not set(label[syllabus.unseen]) & set(label[others][source[others] == "many"])
    assert (syllabus.label[syllabus.unseen] == -1).all()


def test_equal_labels_of_different_sources_are_different_classes_and_no_label_is_none(photos) -> None:  # type: ignore[no-untyped-def]
    _, _, source = photos
    syllabus = draw_up(*photos, dimensions=16, seed=0)

    many, few = (set(syllabus.label[source == each]) - {-1} for each in ("many", "few"))
    assert (len(many), len(few)) == (40, 2)
    assert not many & few
    assert set(syllabus.label[source == "web"]) == {-1}
    assert syllabus.classes == 42


def test_photos_after_the_regular_ones_are_learned_from_and_decide_nothing(photos) -> None:  # type: ignore[no-untyped-def]
    features, label, source = photos
    others = features.copy()
    others[700:] = 9.0

    syllabus, changed = (
        draw_up(each, label, source, dimensions=16, seed=0, regular=700) for each in (features, others)
    )

    parts = np.concatenate([syllabus.train, syllabus.more, syllabus.seen, syllabus.unseen])
    assert sorted(parts.tolist()) == list(range(750))
    assert syllabus.more.min() >= 700 > syllabus.train.max()
    assert (syllabus.target[syllabus.train] == changed.target[syllabus.train]).all()


def test_a_source_can_be_held_out_as_a_whole(photos) -> None:  # type: ignore[no-untyped-def]
    _, label, source = photos
    label[source == "web"] = "_"
    syllabus = draw_up(photos[0], label, source, dimensions=16, held_out=("few", "web"), seed=0)

    assert set(source[syllabus.train]) == {"many"}
    assert (syllabus.label[source == "few"] == -1).all()
    assert syllabus.classes == 40


def test_only_the_labels_of_the_named_sources_are_learned_and_the_others_still_divide(photos) -> None:  # type: ignore[no-untyped-def]
    _, _, source = photos
    everything, few = draw_up(*photos, dimensions=16, seed=0), draw_up(*photos, dimensions=16, labelled=["few"], seed=0)

    assert few.unseen.tolist() == everything.unseen.tolist()
    assert (few.label[source != "few"] == -1).all()
    assert set(few.label[source == "few"]) - {-1} == {0, 1}
    assert few.classes == 2


def test_the_same_seed_gives_the_same_split(photos) -> None:  # type: ignore[no-untyped-def]
    one, same, other = (draw_up(*photos, dimensions=16, seed=seed) for seed in (0, 0, 1))

    assert one.seen.tolist() == same.seen.tolist()
    assert one.seen.tolist() != other.seen.tolist()


def test_targets_keep_the_cosines_of_the_centred_features(photos) -> None:  # type: ignore[no-untyped-def]
    features = photos[0]
    rows = np.arange(len(features))
    centred = features.astype(np.float32) - features.astype(np.float32).mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)

    target = principal_components(features, rows, 64)

    assert target.shape == (750, 64)
    assert target.dtype == np.float32
    assert target @ target.T == pytest.approx(centred @ centred.T, abs=1e-3)


def test_whitened_targets_are_more_even_than_principal_components_and_padding_stays_nothing(photos) -> None:  # type: ignore[no-untyped-def]
    features = photos[0] * np.linspace(3, 1, 40).astype(np.float16)
    rows = np.arange(len(features))
    target = principal_components(features, rows, 64)

    even = whitened(target, rows)

    assert np.linalg.norm(even, axis=1) == pytest.approx(1, abs=1e-5)
    assert np.ptp(even[:, :40].std(axis=0)) < 0.7 * np.ptp(target[:, :40].std(axis=0))
    assert (even[:, 40:] == 0).all()


def test_the_photos_of_spared_classes_are_written_as_folders(
    photo_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(photo_folder), "--into", str(tmp_path), "--held-out", photo_folder.name])

    assert capsys.readouterr().out == "18 photos of 3 classes\n"
    written = read_folder(tmp_path / photo_folder.name)
    assert sorted(set(written[1])) == ["blue", "green", "red"]
    assert sorted(written[0]) == sorted(path.read_bytes() for path in photo_folder.rglob("*.png"))
