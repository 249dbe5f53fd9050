"""Draws results/restoration as docs/restoration.svg: what A2U's form can restore, and what it does restore.

`python docs/restoration.py`. A dot is a fold of four photographs, a bar the mean of the folds; nothing right of a
ceiling can be reached by kernels of its form.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from a2u_bench.export._looks import COLOURS
from a2u_bench.export.plots import page
from a2u_bench.store.frames import runs_to_frame
from a2u_bench.store.read import read_run

ROOT = Path(__file__).resolve().parent.parent
RUN = ROOT / "results" / "restoration"
PICTURE = ROOT / "docs" / "restoration.svg"

NAMES = {
    "ceiling:simplex": "ceiling: any convex 3×3 kernel",
    "sapa": "SAPA: second order at each tap",
    "ceiling:sigmoid-softmax": "ceiling: A2U's box, any parameters",
    "convex": "convex: no guide",
    "bicubic": "bicubic",
    "references:Constant": "a constant kernel, softmax",
    "ablated:A2U:gate=softmax": "A2U without its sigmoid",
    "references:Constant:gate=sigmoid-softmax": "a constant kernel, A2U's formula",
    "ablated:A2U:order=sum": "A2U, U + V for U ⊙ V",
    "a2u": "A2U",
}
CEILINGS, OWN = ("ceiling:simplex", "ceiling:sigmoid-softmax"), ("a2u", "ablated:A2U:order=sum")
GUIDES = {
    "mix": "the guide tells the features linearly",
    "shallow": "the guide is of the photograph alone",
}


def picture(rows: pd.DataFrame) -> Figure:
    """A panel for each guide, the same settings in each."""
    rows = rows[(rows["status"] == "ok").fillna(False) & (rows["features"] == "seg")]
    figure = page.sheet(4.4 * len(NAMES) + 16, page.TEXT)
    panels = figure.subplots(1, len(GUIDES), sharex=True, sharey=True)
    for axes, (guide, said) in zip(panels, GUIDES.items(), strict=True):
        axes.axvline(0, color=page.GREY, lw=0.7)
        for height, pair in enumerate(reversed(NAMES)):
            gains = rows.loc[(rows["guide"] == guide) & (rows["pair"] == pair), "gain"].astype(float)
            colour = page.GREY if pair in CEILINGS else COLOURS[1] if pair in OWN else COLOURS[0]
            axes.barh(height, gains.mean(), 0.55, color=colour, alpha=0.35, lw=0)
            axes.plot(gains, [height] * len(gains), "o", ms=2.6, color=colour, mew=0)
        axes.set_title(said, loc="left", fontsize=7)
        axes.set_xlabel("gain over bilinear [dB]")
        axes.grid(axis="x")
    panels[0].set_yticks(range(len(NAMES)), list(reversed(NAMES.values())))
    return figure


def main() -> int:
    frame = runs_to_frame([read_run(RUN)])
    with page.style():
        PICTURE.write_bytes(page.save(picture(frame), "svg"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
