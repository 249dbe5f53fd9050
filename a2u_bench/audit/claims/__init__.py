"""Whether the numbers that a text gives of a run's operators are those that the run has stored."""

from a2u_bench.audit.claims.check import Checked, check
from a2u_bench.audit.claims.match import Wrong

__all__ = ["Checked", "Wrong", "check"]
