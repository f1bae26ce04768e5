"""The short form of the second half of `make faults`: a real worker before a broker that fails."""

from collections.abc import Iterator

import pytest

from tests.programs.faults.delivery import KILLED, KINDS, Delivery, delivery, delivery_faults
from tests.programs.faults.injecting import Fault

# Each kind once with each error, and one death: a process that dies costs seconds.
FAULTS = [
    fault for fault in delivery_faults() if fault.nth == 1 and (fault.error != KILLED or fault.kind == "acknowledge")
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivery]:
    with delivery(tmp_path_factory.mktemp("delivery")) as running:
        yield running


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_fails_while_a_message_is_delivered_the_index_equals_the_library(running: Delivery, kind: str) -> None:
    found = {fault: running.meet(fault) for fault in FAULTS if fault.kind == kind}

    assert {fault: wrong for fault, (_, wrong) in found.items() if wrong} == {}
    assert [str(fault) for fault, (met, _) in found.items() if not met] == []
    assert running.worker.process.poll() is None


def test_a_fault_that_no_call_meets_is_told(running: Delivery) -> None:
    assert running.meet(Fault("acknowledge", 100, KILLED)) == (False, [])
