"""`lookalike doctor`: looks at everything that this machine needs, and says of each thing how it is and what helps."""

from lookalike.doctor.checks import examine
from lookalike.doctor.result import CheckResult

__all__ = ["CheckResult", "examine"]
