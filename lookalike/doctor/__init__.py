"""`lookalike doctor`: looks at everything that this machine needs, and says of each thing how it is and what helps."""

from lookalike.doctor.examination import examine
from lookalike.doctor.finding import Finding

__all__ = ["Finding", "examine"]
