"""models/training/student.py: what the losses of a batch ask for."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'lookalike[train]'")

from torch.nn import functional as F  # noqa: E402, N812

from models.training.student import Student, contrastive_loss, likeness_loss, spread_loss  # noqa: E402


def test_likeness_asks_for_the_neighbours_that_the_teacher_sees() -> None:
    target = F.normalize(torch.eye(6) + 0.1)

    same, scaled = likeness_loss(target, target, target), likeness_loss(5 * target, target, target)
    exchanged = likeness_loss(target.roll(1, dims=0), target, target)

    assert float(same) == pytest.approx(float(scaled), rel=1e-5)
    assert float(exchanged) > float(same) + 1


def test_a_copy_must_be_nearer_to_its_photo_than_to_any_other_and_than_to_the_queue() -> None:
    photos, nothing = torch.eye(8)[:4], torch.zeros(0, 8)

    known = contrastive_loss(torch.cat([photos, photos]), nothing)
    taken = contrastive_loss(torch.cat([photos, photos.roll(1, dims=0)]), nothing)
    beside_its_twin = contrastive_loss(torch.cat([photos, photos]), photos)

    assert float(known) < 1e-3
    assert float(taken) > 5
    assert float(beside_its_twin) == pytest.approx(float(torch.tensor(2.0).log()), abs=1e-3)


def test_descriptors_are_asked_to_keep_their_distance_but_for_those_of_their_own_photo() -> None:
    copies = torch.eye(8)[:4]
    near = F.normalize(copies + 0.8)

    assert float(spread_loss(copies, copies)) < float(spread_loss(near, near))
    assert float(spread_loss(copies, copies)) == pytest.approx(float(-torch.tensor(2.0).sqrt().log()), abs=1e-3)


def test_what_is_exported_is_taken_again_and_a_backbone_alone_has_no_heads() -> None:
    torch.manual_seed(0)
    one, other, start = (Student("resnet18", 4, 3, 2, v1=False) for _ in range(3))

    assert other.take(one.weights(40))
    assert not start.take(one.backbone.state_dict())

    assert torch.equal(other.embedding_head.weight, one.embedding_head.weight)
    assert torch.equal(other.copy_head.bias, one.copy_head.bias)
    assert one.weights(40)["copy_head.window"].shape == (3, 3)


def test_the_copy_head_sees_more_of_the_middle_than_of_the_borders() -> None:
    torch.manual_seed(0)
    student = Student("resnet18", 4, 3, 2, v1=False).eval()
    maps = torch.rand(1, 256, 8, 8)
    middle, corner = maps.clone(), maps.clone()
    middle[:, :, 3:5, 3:5] += 1
    corner[:, :, :2, :2] += 1

    with torch.inference_mode():
        plain, with_middle, with_corner = (student.features(each, 3)[1] for each in (maps, middle, corner))

    assert float((with_middle - plain).mean()) > 5 * float((with_corner - plain).mean()) > 0
