"""The trial: one pair trained once, from one seed. Its id is computed from what is trained, never typed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product

from a2u_bench.quality.pairs import Pair
from a2u_bench.quality.presets import Preset

RECONSTRUCTION, MATTING = "reconstruction", "matting"

LATER = ("features", "guide", "folds")
"""Axes that only some tasks have; where they are empty they are no part of an id."""


@dataclass(frozen=True)
class Trial:
    """One row to be: the axes of a training, as the table of results names them.

    `options` is the canonical operator string, without the twin, so that the row meets the operator's costs; `pair`
    says how it goes down. `images` counts those trained on, `test_images` those scored.
    """

    operator: str
    variant: str
    options: str
    pair: str
    task: str
    data: str
    preset: str
    seed: int
    epochs: int
    images: int
    test_images: int
    learning_rate: float
    device: str = "cpu"
    threads: int = 1
    dtype: str = "float32"
    mode: str = "training"
    features: str | None = None
    guide: str | None = None
    folds: int | None = None

    @property
    def id(self) -> str:
        """Operator name and twelve hexadecimal digits of a hash over every field but the label."""
        fields = asdict(self).items()
        what = {n: value for n, value in fields if n != "variant" and not (n in LATER and value is None)}
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
        return f"{self.operator.rpartition(':')[2]}-{digest[:12]}"


@dataclass(frozen=True)
class TrainingJob:
    """A trial with the pair and the schedule that it means."""

    trial: Trial
    pair: Pair
    preset: Preset


def jobs(  # noqa: PLR0913  # what a training is named by
    pairs: Sequence[Pair],
    preset: Preset,
    seeds: Sequence[int],
    *,
    data: str,
    images: int,
    test_images: int,
    task: str = RECONSTRUCTION,
    device: str = "cpu",
    threads: int = 1,
    cells: Sequence[tuple[str | None, str | None]] = ((None, None),),
    folds: int | None = None,
) -> Iterator[TrainingJob]:
    """Every pair from every seed, seed by seed, so that a run that is stopped has compared all pairs equally often.

    Where there are cells, each of features and a guide, every pair is trained in each of them.
    """
    for seed, (features, guide) in product(seeds, cells):
        for pair in pairs:
            trial = Trial(
                operator=pair.operator.name,
                variant=pair.operator.variant,
                options=pair.operator.text,
                pair=pair.name,
                task=task,
                data=data,
                preset=preset.name,
                seed=seed,
                epochs=preset.epochs,
                images=images,
                test_images=test_images,
                learning_rate=preset.learning_rate,
                device=device,
                threads=threads,
                features=features,
                guide=guide,
                folds=folds,
            )
            yield TrainingJob(trial, pair, preset)
