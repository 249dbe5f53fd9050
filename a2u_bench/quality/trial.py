"""The trial: one pair trained once, from one seed. Its id is computed from what is trained, never typed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from a2u_bench.quality.pairs import Pair
from a2u_bench.quality.presets import Preset

RECONSTRUCTION, MATTING = "reconstruction", "matting"


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

    @property
    def id(self) -> str:
        """Operator name and twelve hexadecimal digits of a hash over every field but the label."""
        what = {name: value for name, value in asdict(self).items() if name != "variant"}
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
) -> Iterator[TrainingJob]:
    """Every pair from every seed, seed by seed, so that a run that is stopped has compared all pairs equally often."""
    for seed in seeds:
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
            )
            yield TrainingJob(trial, pair, preset)
