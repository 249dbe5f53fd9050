"""Whether every number of a table that was exported earlier still is what its run has stored."""

from a2u_bench.claims.check import Checked, Wrong, check

__all__ = ["Checked", "Wrong", "check"]
