"""Figures of a run for a paper: one file a kind, each with `draw`; all readable at one column, 85 mm wide."""

from a2u_bench.export.plots.figures import FORMATS, KINDS, Picture, Undrawable, pictures
from a2u_bench.export.plots.rows import undrawn

__all__ = ["FORMATS", "KINDS", "Picture", "Undrawable", "pictures", "undrawn"]
