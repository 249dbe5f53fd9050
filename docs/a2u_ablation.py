"""Names the trainings of results/quality-a2u-ablation in a few words, draws them and says which differ significantly.

`python docs/a2u_ablation.py` writes docs/a2u-ablation.svg and prints what docs/a2u-ablation.md shows. A point is a
training's PSNR on test images, a line Student's 95 % interval over three seeds.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pandas as pd

from a2u_bench.export._looks import COLOURS
from a2u_bench.export.plots import page
from a2u_bench.judge import seeds
from a2u_bench.operators.strings import parse
from a2u_bench.store.frames import SEEDS, runs_to_frame
from a2u_bench.store.read import read_run

ROOT = Path(__file__).resolve().parent.parent
RUN = ROOT / "results" / "quality-a2u-ablation"
PICTURE = ROOT / "docs" / "a2u-ablation.svg"

WORDS = {
    "activation=linear": "signed",
    "context=false": "no context",
    "down=both": "gated twin",
    "dynamics=static": "static",
    "encoder_kernel_size=1": "1×1 factors",
    "encoder_kernel_size=2": "2×2 factors",
    "gain=8": "×8",
    "gain=16": "×16",
    "gain=256": "×256",
    "gate=sigmoid": "sigmoid",
    "gate=softmax": "softmax",
    "kernel_size=1": "k=1",
    "nonlinear=false": "linear",
    "order=first": "first order",
    "order=weighted": "weighted",
    "projection=learned": "fixed P",
    "rank=4": "rank 4",
    "resolution=fine": "per pixel",
    "sharing=unshared": "unshared",
}
"""What an option says in a name; the page explains each."""

TOGETHER = {("k=1", "1×1 factors", "per pixel"): "pixel gate", ("static", "fixed P"): "fixed"}
"""Options that go together and have one name: a pixel's own gate; kernels that are the same for every image."""

PLACES = ("k=3", "k=1", "pixel gate", "others")


def short(pair: str, epochs: int, rate: float) -> tuple[str, str]:
    """Where a training stands in the picture, and its name in a few words."""
    twin, _, operator = pair.partition("/")
    asked = parse(operator)
    own = asked.name.rpartition(":")[2].lower()
    words = [WORDS[f"{name}={str(value).lower()}"] for name, value in sorted(asked.options.items())]
    for several, one in TOGETHER.items():
        if set(several) <= set(words):
            words = [one, *(word for word in words if word not in several)]
    place = next((place for place in ("pixel gate", "k=1") if place in words), "k=3") if own == "a2u" else "others"
    words = [word for word in words if word not in PLACES]
    words = ["published"] * (own == "a2u" and not words) + [own] * (own != "a2u") + words
    if twin == "pool":
        words.append("max pooling")
    if epochs != 2:
        words.append(f"{epochs} epochs")
    if rate != 0.002:
        words.append(f"rate {rate / 0.002:g}×")
    return place, ", ".join(words)


def trainings() -> tuple[pd.DataFrame, str]:
    """Each setting's mean and interval with its place and short name, and the order that is significant."""
    frame = runs_to_frame([read_run(RUN)])
    names = [short(*row) for row in zip(frame["pair"], frame["epochs"], frame["learning_rate"], strict=True)]
    frame["pair"] = [name if place in ("others",) else f"{place}: {name}" for place, name in names]
    return seeds.over_seeds(frame), seeds.order(frame, "psnr")


def picture(rows: pd.DataFrame) -> bytes:
    """Every training by its name, in four parts, the best first."""
    parts = [(place, rows[[_place(pair) == place for pair in rows["pair"]]]) for place in PLACES]
    with page.style():
        figure = page.sheet(4.2 * len(rows) + 28, 120)
        panels = figure.subplots(
            len(parts), 1, sharex=True, gridspec_kw={"height_ratios": [len(part) + 1 for _, part in parts]}
        )
        for axes, (place, part) in zip(panels, parts, strict=True):
            part = part.sort_values("psnr")
            for height, row in enumerate(part.itertuples()):
                several = int(row.seeds) > 1  # type: ignore[arg-type]  # pandas has no type for a row's cells
                if several:
                    axes.plot([row.psnr_low, row.psnr_high], [height, height], color=COLOURS[0], lw=1.2)
                axes.plot([row.psnr], [height], "o", ms=4, color=COLOURS[0], mfc=COLOURS[0] if several else "white")
            axes.set_yticks(range(len(part)), [str(pair).removeprefix(f"{place}: ") for pair in part["pair"]])
            axes.set_ylim(-0.7, len(part) - 0.3)
            axes.set_title("other operators" if place == "others" else f"A2U, {place}", loc="left", fontsize=7)
            axes.grid(axis="x")
        panels[-1].set_xlabel("PSNR [dB]; filled: three seeds")
        return page.save(figure, "svg")


def _place(pair: str) -> str:
    head = str(pair).partition(": ")
    return head[0] if head[1] else "others"


def main() -> int:
    rows, order = trainings()
    PICTURE.write_bytes(picture(rows))
    best = rows[rows[SEEDS] > 1].sort_values("psnr", ascending=False)
    lines = [f"{'three seeds':<44} {'PSNR [dB]':>10} {'95 % interval':>14}"]
    lines += [f"{row.pair:<44} {row.psnr:>10.1f} {row.psnr_low:>9.1f}–{row.psnr_high:.1f}" for row in best.itertuples()]
    sys.stdout.write("\n".join([*lines, *textwrap.wrap(order, 100)]) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
