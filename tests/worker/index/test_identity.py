"""What is done with what lies at the store: a decision over values, for every state that a cut-off start can leave."""

import pytest

from lookalike.errors import CollectionMismatch
from worker.index.identity import Identity, Plan, StoreState, check_identity, make_plan

MINE = Identity("mine", "tiny", "f" * 64, "cosine", "fp32")
MINE_OTHERWISE = Identity("mine", "large", "e" * 64, "cosine", "fp32")
FORMER = Identity("former", "tiny", "f" * 64, "cosine", "fp32")
THEIRS = Identity("theirs", "tiny", "f" * 64, "cosine", "fp32")
NAME, OTHER = "photos-mine", "photos-other"
OURS = {"mine", "former"}


def decided(leads_to: str | None, there: dict[str, Identity | None], *, rebuild: bool = False) -> Plan:
    return make_plan("photos", NAME, MINE, StoreState(leads_to, there), rebuild=rebuild, own_ids=OURS)


@pytest.mark.parametrize(
    ("leads_to", "there", "plan"),
    [
        (None, {}, Plan(NAME, create=True, promote=True)),
        (None, {NAME: MINE}, Plan(NAME, promote=True)),
        (NAME, {}, Plan(NAME, create=True, promote=True)),
        (OTHER, {}, Plan(NAME, create=True, promote=True)),
        (OTHER, {NAME: MINE}, Plan(NAME, promote=True)),
        (NAME, {NAME: MINE}, Plan(NAME)),
        # One that an earlier version named otherwise.
        (OTHER, {OTHER: MINE}, Plan(OTHER)),
    ],
)
def test_what_is_missing_is_made_and_nothing_is_dropped(
    leads_to: str | None, there: dict[str, Identity | None], plan: Plan
) -> None:
    assert decided(leads_to, there) == plan


@pytest.mark.parametrize(
    ("leads_to", "there", "doomed"),
    [
        (None, {}, ()),
        (NAME, {}, ()),
        (NAME, {NAME: MINE}, (NAME,)),
        (None, {NAME: MINE}, (NAME,)),
        (OTHER, {OTHER: MINE_OTHERWISE}, (OTHER,)),
        (OTHER, {OTHER: FORMER, NAME: MINE}, (OTHER, NAME)),
    ],
)
def test_a_rebuild_drops_what_is_ours_before_it_makes_anything(
    leads_to: str | None, there: dict[str, Identity | None], doomed: tuple[str, ...]
) -> None:
    assert decided(leads_to, there, rebuild=True) == Plan(NAME, drop=doomed, create=True, promote=True)


@pytest.mark.parametrize("rebuild", [False, True])
@pytest.mark.parametrize(
    ("leads_to", "there"),
    [
        (OTHER, {OTHER: THEIRS}),
        (OTHER, {OTHER: None}),
        (OTHER, {OTHER: THEIRS, NAME: MINE}),
        (None, {NAME: THEIRS}),
        (None, {NAME: None}),
        (None, {"photos": None}),
    ],
)
def test_what_is_not_ours_is_refused_and_the_name_is_the_first_remedy(
    leads_to: str | None, there: dict[str, Identity | None], *, rebuild: bool
) -> None:
    with pytest.raises(CollectionMismatch, match="set another LOOKALIKE_NAME") as told:
        decided(leads_to, there, rebuild=rebuild)

    assert "--rebuild" not in str(told.value)


def test_one_that_was_ours_may_be_dropped_when_somebody_says_so() -> None:
    with pytest.raises(CollectionMismatch, match="set another LOOKALIKE_NAME, or add --rebuild"):
        decided(OTHER, {OTHER: FORMER})


def test_one_of_ours_for_another_model_is_refused_with_both_remedies() -> None:
    with pytest.raises(CollectionMismatch, match=r"model 'large' and not 'tiny': use what it .* --rebuild"):
        decided(OTHER, {OTHER: MINE_OTHERWISE})


def test_nothing_is_dropped_while_nobody_knows_whose_we_are() -> None:
    with pytest.raises(CollectionMismatch, match="LOOKALIKE_LIBRARY_ID=mine if it is this library's"):
        make_plan("photos", NAME, MINE, StoreState(NAME, {NAME: MINE}), rebuild=True, own_ids=())


def test_an_index_of_another_decoder_revision_is_refused_with_the_remedy() -> None:
    """Also one from before revisions were recorded: its metadata has none."""
    before = Identity.from_metadata(MINE.metadata() | {"decoder": "1"})
    without = {key: value for key, value in MINE.metadata().items() if key != "decoder"}
    now = Identity.from_metadata(MINE.metadata() | {"decoder": "2"})
    assert now is not None

    for found in (before, Identity.from_metadata(without)):
        with pytest.raises(CollectionMismatch, match=r"decoder revision '1' and not '2'.*--rebuild"):
            check_identity("tests", "c", found, now, own_ids=["mine"])
