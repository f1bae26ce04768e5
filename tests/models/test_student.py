"""models/training/student.py: what the losses of a batch ask for."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'lookalike[train]'")

from torch.nn import functional as F  # noqa: E402, N812

from models.training.student import Student, contrastive_loss, likeness_loss, spread_loss  # noqa: E402


def test_likeness_asks_for_the_neighbours_that_the_teacher_sees() -> None:
    target = F.normalize(torch.eye(6) + 0.1)

    same, scaled = likeness_loss(target, target), likeness_loss(5 * target, target)
    exchanged = likeness_loss(target.roll(1, dims=0), target)

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


def test_the_gain_is_in_the_weights_that_are_exported_and_taken_out_again() -> None:
    torch.manual_seed(0)
    one, other, start = (Student("resnet18", 4, 3, 2, v1=False) for _ in range(3))
    target = torch.randn(50, 4) * torch.tensor([4.0, 1.0, 0.25, 0.0])
    for student in (one, other):
        student.whiten(target)

    assert other.take(one.weights())
    assert not start.take(one.backbone.state_dict())

    gained = one.weights()["embedding_head.weight"] / one.embedding_head.weight
    assert (gained[0] < gained[1]).all()
    assert (gained[1] < gained[2]).all()
    assert gained.isfinite().all()
    assert torch.allclose(other.embedding_head.weight, one.embedding_head.weight, atol=1e-6)
    assert torch.equal(other.copy_head.bias, one.copy_head.bias)
