"""Restoration as a task: an operator alone gives back features of photographs from their 2×2 means and a guide.

F [16, 36, 36] are crops of feature maps, z their 2×2 means, and the operator is trained by the mean square of wᵀz − F.
The outer 6 pixels are neither trained on nor scored, so that no border rule matters. Epilogues that add the guide to
wᵀz (FADE's gate) are left out: kernels are compared, and kernels alone.

Photographs make folds: a training of seed s tests on those of fold s mod n, and s seeds all else that is drawn. Those
of one fold share a training, so they are no independent replicates; folds are.

Settings were fixed before the first whole run: 500 crops for training and 48 for testing, photographs in turn, batches
of 4, Adam with a peak rate of 0.01, linear warm-up over a tenth of the steps, then a cosine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch

from a2u_bench.errors import UsageError, unknown
from a2u_bench.quality import feature_maps, photographs
from a2u_bench.quality.feature_maps import FEATURES, GUIDES
from a2u_bench.quality.pairs import Ways
from a2u_bench.quality.photographs import Photographs
from a2u_bench.quality.presets import Preset
from a2u_bench.quality.restoration_fold import CEILINGS, REFERENCES, Fold, crops
from a2u_bench.quality.trial import Trial

FIRST_DRAW = 1000
"""Before a fold's number: the seed of the places of its crops."""

WAYS = Ways(
    (),
    (
        *("sapa", "a2u", "fade", "fade_lite", "carafe", "dysample", "convex", "index_net", "deconv", "pixel_shuffle"),
        *(
            "a2u:kernel_size=1",
            "ablated:A2U:gate=softmax",
            "ablated:A2U:order=sum",
            "ablated:A2U:gate=softmax,order=sum",
        ),
    ),
    lambda _: "",
    always=REFERENCES,
    untrained=CEILINGS,
)
"""Its core: what is published for feature maps, and A2U without its bound, and with a sum where it has a product."""


@dataclass(frozen=True)
class Restoration:
    """The restoration of features of these photographs."""

    photographs: Photographs
    preset: Preset

    @property
    def name(self) -> str:
        """Of the photographs."""
        return self.photographs.name

    @property
    def sha256(self) -> Mapping[str, str]:
        """Of each photograph."""
        return self.photographs.sha256

    @property
    def images(self) -> int:
        """How many crops are trained on."""
        return self.preset.train_images or 0

    @property
    def test_images(self) -> int:
        """How many are scored."""
        return self.preset.test_images or 0

    def part(self, trial: Trial) -> Fold:
        """The crops of a trial; those of the last one are kept."""
        assert trial.features is not None
        assert trial.guide is not None
        assert trial.folds is not None
        return _fold(self, trial.features, trial.guide, trial.seed, trial.folds)

    def __hash__(self) -> int:
        return id(self)


@lru_cache(maxsize=1)
def _fold(of: Restoration, features: str, guide: str, seed: int, folds: int) -> Fold:
    train, test = of.photographs.fold(seed % folds, folds)
    pictures = [of.photographs.pictures[name] for name in (*train, *test)]
    maps = feature_maps.make(pictures, len(train), features, guide, seed)
    random = torch.Generator().manual_seed(FIRST_DRAW + seed)
    side = of.preset.side or 0
    every = list(zip(maps.features, maps.guide, strict=True))
    first, second = every[: len(train)], every[len(train) :]
    return Fold(crops(train, first, of.images, side, random), crops(test, second, of.test_images, side, random))


def load(text: str, preset: Preset) -> Restoration:
    """The photographs of that name or in that folder. UsageError or BenchError where there are none."""
    return Restoration(photographs.load(text, preset.side or 0), preset)


def cells(
    data: Restoration, preset: Preset, features: Sequence[str], guides: Sequence[str], folds: int | None
) -> tuple[tuple[str, str], ...]:
    """Each of these features with each of these guides; the preset's where none is named.

    UsageError for others, and for folds that the photographs do not make.
    """
    for what, given, allowed in (("features", features, FEATURES), ("guide", guides, GUIDES)):
        for one in given:
            if one not in allowed:
                raise unknown(what, one, allowed)
    most = len(data.photographs.pictures)
    if folds is None or not 2 <= folds <= most:
        raise UsageError(f"--folds {folds}: out of range; allowed: 2 to {most}, the photographs of {data.name}")
    least = -(-most // folds)
    if data.images < most - most // folds or data.test_images < least:
        raise UsageError(
            f"--images {data.images}, --test-images {data.test_images}: fewer crops than photographs; "
            f"allowed: {most - most // folds} and {least} or more"
        )
    if not features and not guides:
        return preset.cells
    return tuple((one, other) for one in features or FEATURES[:1] for other in guides or GUIDES[:1])
