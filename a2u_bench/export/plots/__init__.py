"""Figures of a run for a paper or a talk: one file a kind, each with `draw`; readable at one column, 85 mm wide."""

from a2u_bench.export.plots.figures import FORMATS, KINDS, Picture, Undrawable, pictures
from a2u_bench.export.plots.rows import undrawn

__all__ = ["FORMATS", "KINDS", "Picture", "Undrawable", "pictures", "undrawn"]
