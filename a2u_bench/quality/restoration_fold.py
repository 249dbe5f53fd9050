"""One fold of restoration: crops of features and their guide, the operator alone, and what its outputs are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from a2u_bench import operators
from a2u_bench.quality.feature_maps import CHANNELS
from a2u_bench.quality.pairs import Pair
from a2u_bench.quality.restoration_scores import Baseline, score
from a2u_bench.quality.train import Diverged

MARGIN = 6
"""Pixels around a crop that are context alone."""

AT_ONCE = 16
"""Crops that an operator is tested on together."""

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
class GuidedCrops:
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

    crops: GuidedCrops
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

    train: GuidedCrops
    test: GuidedCrops

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


def crops(
    names: Sequence[str], maps: Sequence[tuple[Tensor, Tensor]], count: int, side: int, random: torch.Generator
) -> GuidedCrops:
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
    return GuidedCrops(target, guides, tuple(whose))


def inner(x: Tensor) -> Tensor:
    """Without the margin."""
    return x[..., MARGIN:-MARGIN, MARGIN:-MARGIN]


def _on(crops: GuidedCrops, device: torch.device) -> GuidedCrops:
    return GuidedCrops(crops.target.to(device), crops.guide.to(device), crops.names)
