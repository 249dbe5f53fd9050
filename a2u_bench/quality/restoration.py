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
from functools import cached_property, lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from a2u_bench import operators
from a2u_bench.errors import UsageError, unknown
from a2u_bench.quality import feature_maps, photographs
from a2u_bench.quality.feature_maps import CHANNELS, FEATURES, GUIDES
from a2u_bench.quality.pairs import Pair, Ways
from a2u_bench.quality.photographs import Photographs
from a2u_bench.quality.presets import Preset
from a2u_bench.quality.restoration_scores import Baseline, score
from a2u_bench.quality.train import Diverged
from a2u_bench.quality.trial import Trial

MARGIN = 6
"""Pixels around a crop that are context alone."""

AT_ONCE = 16
"""Crops that an operator is tested on together."""

FIRST_DRAW = 1000
"""Before a fold's number: the seed of the places of its crops."""

CEILINGS = ("ceiling:simplex", "ceiling:sigmoid-softmax")
SIDE_OF_CEILINGS = 3
"""k: the window of the smallest operators, and A2U's."""

REFERENCES = (
    *CEILINGS,
    *("nearest", "bilinear", "bicubic"),
    "references:Constant:gate=free,kernel_size=5",
    *("references:Constant", "references:Constant:gate=sigmoid-softmax"),
    "references:JointBilateral",
)
"""What always stands beside the operators that were asked for."""

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


class KernelsAlone(nn.Module):
    """An operator without what its epilogue makes of the guide."""

    def __init__(self, operator: Any, section: str = "") -> None:
        super().__init__()
        self.operator, self.section = operator, section
        self.guided = operator.needs_guide != "none"
        if self.guided:
            operator.epilogue = lambda up, z, guide=None: up

    def forward(self, z: Tensor, guide: Tensor) -> Tensor:
        """[B, 16, 2H, 2W]."""
        up: Tensor = self.operator(z, guide if self.guided else None)
        return up


class Ceiling(nn.Module):
    """What no kernel of a form beats: it is told the answer."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form

    def best(self, z: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """wᵀz [B, 16, 2H, 2W], and the certified gap of its squared error [B, 2H, 2W]."""
        return operators.ceiling(z, target, SIDE_OF_CEILINGS, self.form)


@dataclass(frozen=True)
class Crops:
    """Crops of features and of their guide, [N, 16, 36, 36] each, and the photograph of each."""

    target: Tensor
    guide: Tensor
    names: tuple[str, ...]

    @cached_property
    def z(self) -> Tensor:
        """[N, 16, 18, 18]."""
        return functional.avg_pool2d(self.target, 2)


@dataclass(frozen=True)
class Restored:
    """Crops that an operator is to give back."""

    crops: Crops
    least: int = 1

    @property
    def device(self) -> torch.device:
        """Where the operator is."""
        return self.crops.target.device

    def __len__(self) -> int:
        return len(self.crops.target)

    def loss(self, network: nn.Module, picked: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """The mean square within the margin, in units of F's variance, twice; nothing is drawn."""
        output = network(self.crops.z[picked], self.crops.guide[picked])
        loss = functional.mse_loss(inner(output), inner(self.crops.target[picked]))
        return loss, loss.detach()


@dataclass(frozen=True)
class Fold:
    """The features, the guide and the photographs of a training."""

    train: Crops
    test: Crops

    def network(self, pair: Pair) -> nn.Module:
        """The untrained operator. Impossible for one that cannot serve 16 channels, or a guide of as many."""
        if pair.name in CEILINGS:
            return Ceiling(pair.name.partition(":")[2])
        section = "reference" if pair.name in REFERENCES else ""
        return KernelsAlone(operators.module(pair.operator.text, CHANNELS), section)

    def examples(self, device: torch.device) -> Restored:
        """The crops that are trained on."""
        return Restored(_on(self.train, device))

    @cached_property
    def baseline(self) -> Baseline:
        """What scores are relative to: bilinear interpolation and the ceiling of convex kernels."""
        bilinear = functional.interpolate(self.test.z, scale_factor=2, mode="bilinear", align_corners=False)
        output, gap = Ceiling(CEILINGS[0].partition(":")[2]).best(self.test.z, self.test.target)
        return Baseline.of(inner(self.test.target), inner(bilinear), inner(output), inner(gap), self.test.names)

    @torch.no_grad()
    def scores(self, network: nn.Module, device: torch.device) -> dict[str, Any]:
        """Gain over bilinear and shares of the way to the ceiling. Diverged where outputs are no finite numbers."""
        network.eval()
        gap, section = None, "ceiling"
        if isinstance(network, Ceiling):
            output, whole = network.best(self.test.z, self.test.target)
            gap = float(inner(whole).mean()) / CHANNELS
        else:
            assert isinstance(network, KernelsAlone)
            crops = _on(self.test, device)
            parts = zip(crops.z.split(AT_ONCE), crops.guide.split(AT_ONCE), strict=True)
            output = torch.cat([network(z, guide).cpu() for z, guide in parts])
            section = network.section or operators.section(network.operator, crops.z[:4], crops.guide[:4])
        if not output.isfinite().all():
            raise Diverged("the trained operator's outputs are not finite")
        return {**score(inner(output), self.baseline, gap), "section": section}


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
    return Fold(_crops(train, first, of.images, side, random), _crops(test, second, of.test_images, side, random))


def _crops(
    names: Sequence[str], maps: Sequence[tuple[Tensor, Tensor]], count: int, side: int, random: torch.Generator
) -> Crops:
    """So many crops at even offsets, photographs in turn."""
    found, whose = [], []
    for index in range(count):
        place = index % len(names)
        features, guide = maps[place]
        top, left = (
            2 * int(torch.randint((length - side) // 2 + 1, (), generator=random)) for length in features.shape[1:]
        )
        window = (slice(None), slice(top, top + side), slice(left, left + side))
        found.append((features[window], guide[window]))
        whose.append(names[place])
    target, guides = (torch.stack(parts) for parts in zip(*found, strict=True))
    return Crops(target, guides, tuple(whose))


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


def inner(x: Tensor) -> Tensor:
    """Without the margin."""
    return x[..., MARGIN:-MARGIN, MARGIN:-MARGIN]


def _on(crops: Crops, device: torch.device) -> Crops:
    return Crops(crops.target.to(device), crops.guide.to(device), crops.names)
