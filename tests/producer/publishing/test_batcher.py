"""How paths come together in messages."""

from hypothesis import given, settings
from hypothesis import strategies as st

from producer.publishing.batcher import Batch, Batcher, Change, split_evenly


def test_a_batch_is_full_at_its_number_of_paths() -> None:
    batcher = Batcher(batch_paths=2, batch_bytes=100, batch_wait_s=1.0)

    assert batcher.add_change(Change(("a",)), 0.0) == []
    assert batcher.add_change(Change(("b",)), 0.0) == [Batch(["a", "b"], [])]
    assert len(batcher) == 0


def test_a_batch_is_full_at_its_number_of_bytes() -> None:
    batcher = Batcher(batch_paths=10, batch_bytes=100, batch_wait_s=1.0)

    assert batcher.add_change(Change(("a",), size_bytes=60), 0.0) == []
    assert batcher.add_change(Change(("b",), size_bytes=60), 0.0) == [Batch(["a"], [])]
    assert batcher.add_change(Change(("c",), size_bytes=40), 0.0) == [Batch(["b", "c"], [])]
    assert batcher.add_change(Change(("larger than any batch",), size_bytes=900), 0.0) == [
        Batch(["larger than any batch"], [])
    ]
    assert batcher.add_change(Change(("d",), size_bytes=60), 0.0) == []


def test_a_batch_that_waited_long_enough_leaves_as_it_is() -> None:
    batcher = Batcher(batch_paths=10, batch_bytes=100, batch_wait_s=1.0)
    batcher.add_change(Change(("a",)), 5.0)
    batcher.add_change(Change(gone=("b",)), 5.9)

    assert batcher.due(5.99) == []
    assert batcher.due(6.0) == [Batch(["a"], ["b"])]
    assert batcher.due(99.0) == []


def test_in_a_calm_a_batch_leaves_at_once_and_the_next_one_after_the_wait() -> None:
    batcher = Batcher(batch_paths=10, batch_bytes=100, batch_wait_s=1.0)
    batcher.add_change(Change(("a",)), 5.0)
    assert batcher.due(5.0) == []
    assert batcher.due(5.0, is_calm=True) == [Batch(["a"], [])]

    for at_s, path in ((5.2, "b"), (5.9, "c")):
        batcher.add_change(Change((path,)), at_s)
        assert batcher.due(at_s, is_calm=True) == []
    assert batcher.due(6.0, is_calm=True) == [Batch(["b", "c"], [])]


def test_what_is_gone_waits_for_company_in_a_calm_too() -> None:
    batcher = Batcher(batch_paths=10, batch_bytes=100, batch_wait_s=1.0)
    batcher.add_change(Change(gone=("a",)), 5.0)

    assert batcher.due(5.9, is_calm=True) == []
    assert batcher.due(6.0, is_calm=True) == [Batch([], ["a"])]


def test_a_move_is_never_split() -> None:
    batcher = Batcher(batch_paths=3, batch_bytes=100, batch_wait_s=1.0)
    batcher.add_change(Change(("a",)), 0.0)
    batcher.add_change(Change(("b",)), 0.0)

    assert batcher.add_change(Change(("new",), ("old",)), 0.0) == [Batch(["a", "b"], [])]
    assert batcher.flush() == [Batch(["new"], ["old"])]


def test_a_move_fits_even_where_a_batch_is_one_path() -> None:
    batcher = Batcher(batch_paths=1, batch_bytes=100, batch_wait_s=1.0)

    assert batcher.add_change(Change(("new",), ("old",)), 0.0) == [Batch(["new"], ["old"])]


def test_a_path_is_sent_once() -> None:
    batcher = Batcher(batch_paths=3, batch_bytes=100, batch_wait_s=1.0)
    for _ in range(5):
        assert batcher.add_change(Change(("a",)), 0.0) == []

    assert batcher.flush() == [Batch(["a"], [])]


def test_the_last_paths_are_shared_out_among_the_processes() -> None:
    few, many = Batch([*"abcdefg"], []), Batch([str(number) for number in range(61)], [])

    assert split_evenly(few, 2) == [few]
    assert [len(part) for part in split_evenly(many, 2)] == [16, 15, 15, 15]
    assert [len(part) for part in split_evenly(many, 16)] == [9, 9, 9, 9, 9, 8, 8]
    assert sorted(path for part in split_evenly(many, 2) for path in part.paths) == sorted(many.paths)
    # Its vector is to be found under the old name, which another part would remove.
    assert split_evenly(Batch(many.paths, ["old"]), 2) == [Batch(many.paths, ["old"])]


names = st.text("abcdef", min_size=1, max_size=3)
changes = st.lists(
    st.one_of(
        st.tuples(names, st.integers(0, 150)).map(lambda file: Change((file[0],), size_bytes=file[1])),
        names.map(lambda path: Change(gone=(path,))),
        st.tuples(names, names).map(lambda move: Change((move[0],), (move[1],))),
    )
)


@settings(deadline=None)  # other tests may keep the machine busy
@given(changes, st.integers(1, 8))
def test_nothing_is_lost_torn_or_too_large(changes: list[Change], batch_paths: int) -> None:
    batcher = Batcher(batch_paths, batch_bytes=100, batch_wait_s=1.0)
    batches = [batch for change in changes for batch in batcher.add_change(change, 0.0)] + batcher.flush()

    assert all(0 < len(batch) <= max(2, batch_paths) for batch in batches)
    for change in changes:
        assert any(set(change.paths) <= set(batch.paths) and set(change.gone) <= set(batch.gone) for batch in batches)
    assert {path for batch in batches for path in batch.paths} == {path for change in changes for path in change.paths}
