"""`lookalike doctor`: checks what lookalike needs on this machine; each result has a state and a remedy."""

from lookalike.doctor.checks import check_machine
from lookalike.doctor.result import CheckResult

__all__ = ["CheckResult", "check_machine"]
