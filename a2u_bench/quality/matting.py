"""Image matting as a task: the alpha of RGB and trimap, by the whole matting network with an operator in its levels.

The loss is L1 between the network's output and the true alpha, over the pixels that the trimaps of a batch leave
unknown. Papers add the same of the image that the alpha composes, and soften both by a constant of 1e-6 under a root.
Crops are turned and mirrored at random. An alpha is scored over the unknown pixels, after it is clamped to [0, 1] and
takes the trimap's word where that knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from a2u_bench.errors import BenchError, UsageError
from a2u_bench.operators.networks.matting import DOWNS, STRIDE, MattingNetwork, usual_down
from a2u_bench.quality import composition, natural
from a2u_bench.quality.mattes import UNKNOWN, Mattes, largest_side, mattes
from a2u_bench.quality.matting_scores import score
from a2u_bench.quality.pairs import Pair, Ways
from a2u_bench.quality.presets import Preset
from a2u_bench.quality.train import Diverged
from a2u_bench.quality.trial import Trial

WAYS = Ways(
    DOWNS,
    (
        *("conv/nearest", "conv/bilinear", "twin/max_unpool", "pool/carafe"),
        *("twin/index_net", "twin/a2u", "pool/fade", "pool/sapa"),
    ),
    usual_down,
)
"""Its core is what was published with this network, and max-unpooling."""

SYNTHETIC = "synthetic"
TESTS = 100
"""Synthetic images that are scored, where none are counted."""

SYMMETRIES = 8
"""Of a square: four turns, and their mirror images."""


class Crops(Protocol):
    """Where batches of crops come from."""

    def __len__(self) -> int: ...

    def batch(self, picked: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Inputs [B, 4, S, S], RGB and trimap, and alphas [B, 1, S, S] of these indices, on the CPU.

        Whatever is drawn for them is drawn from `random`.
        """


class Tests(Protocol):
    """Images with their alphas, of any sizes."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[tuple[Tensor, NDArray[np.float32]]]:
        """Input [4, H, W], RGB and trimap, and alpha [H, W] of each."""


@dataclass(frozen=True)
class Held:
    """Crops that were made before, each batch of them turned and mirrored as one."""

    mattes: Mattes

    def __len__(self) -> int:
        return len(self.mattes.inputs)

    def batch(self, picked: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """The crops of these indices."""
        turn = int(torch.randint(SYMMETRIES, (), generator=random))
        picked = picked.cpu()
        return symmetry(self.mattes.inputs[picked], turn), symmetry(self.mattes.alphas[picked], turn)


@dataclass(frozen=True)
class Alphas:
    """Crops whose alphas are to be found, by a network on `device`."""

    crops: Crops
    device: torch.device
    least: int = 2  # the network normalises a pooled image over the batch

    def __len__(self) -> int:
        return len(self.crops)

    def loss(self, network: nn.Module, picked: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """L1 over the unknown pixels, and the mean square error there of alphas clamped to [0, 1]."""
        inputs, alphas = (part.to(self.device) for part in self.crops.batch(picked, random))
        unknown = inputs[:, 3:] == UNKNOWN
        count = unknown.sum().clamp(min=1)
        output = network(inputs)
        loss = ((output - alphas).abs() * unknown).sum() / count
        square = ((output.detach().clamp(0, 1) - alphas).square() * unknown).sum() / count
        return loss, square


@dataclass(frozen=True)
class Matting:
    """Matting by crops, scored on whole images."""

    name: str
    crops: Crops
    tests: Tests
    sha256: dict[str, str] = field(default_factory=dict)

    @property
    def images(self) -> int:
        """How many crops are trained on in an epoch."""
        return len(self.crops)

    @property
    def test_images(self) -> int:
        """How many are scored."""
        return len(self.tests)

    def part(self, trial: Trial) -> Matting:
        """All of it: trials differ in their pairs alone."""
        return self

    def network(self, pair: Pair) -> nn.Module:
        """The untrained network. Impossible for an operator that cannot serve its channels, or be halved so."""
        return MattingNetwork(pair.operator.text, pair.down)

    def examples(self, device: torch.device) -> Alphas:
        """The crops, for a network on the device."""
        return Alphas(self.crops, device)

    def scores(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """SAD, MSE, gradient and connectivity over the test images. Diverged where an output is no finite number."""
        outputs, targets, unknown = [], [], []
        for image, target in self.tests:
            outputs.append(predict(network, image, device).double().numpy())
            targets.append(target.astype(np.float64))
            unknown.append((image[3] == UNKNOWN).numpy())
        return asdict(score(outputs, targets, unknown))


def load(text: str, preset: Preset) -> Matting:
    """The data of that name or in that folder, as many images as the preset says. UsageError where there are none."""
    images, side = preset.train_images or 0, preset.side or 0
    if images < 2:
        raise UsageError(f"--images {images}: the matting network normalises over a batch; allowed: 2 or more")
    if text == SYNTHETIC:
        return synthetic(images, preset.test_images or TESTS, side)
    if not text or not (Path(text).exists() or "/" in text):
        raise UsageError(f"--data {text!r}: no such data; allowed: {SYNTHETIC}, or a folder laid out as Composition-1k")
    try:
        found = composition.read(Path(text), side, images, preset.test_images)
    except BenchError as error:
        raise UsageError(f"--data {error}") from None  # a path that was named, with nothing to read at it
    return Matting(found.name, found.crops, found.tests, found.sha256)


def synthetic(images: int, test_images: int, side: int, seed: int = 0) -> Matting:
    """The set that is made in memory, by `seed` and not by that of a training. UsageError for crops it cannot have."""
    most = largest_side()
    if side > most:
        raise UsageError(
            f"--data {SYNTHETIC}: has photographs of {most} pixels, smaller than crops of {side}; "
            "take --preset short, or a folder laid out as Composition-1k"
        )
    train = mattes(natural.TRAIN, images, side, seed)
    test = mattes(natural.TEST, test_images, side, seed)
    tests = [(image, alpha[0].numpy()) for image, alpha in zip(test.inputs, test.alphas, strict=True)]
    return Matting(SYNTHETIC, Held(train), tests)


def symmetry(images: Tensor, which: int) -> Tensor:
    """Images [B, C, S, S] turned by `which` quarters, and mirrored where it is 4 or more."""
    turned = torch.rot90(images, which % 4, (2, 3))
    return turned.flip(3) if which >= 4 else turned


@torch.no_grad()
def predict(network: nn.Module, image: Tensor, device: torch.device) -> Tensor:
    """The alpha [H, W] of an image [4, H, W], the trimap's own where that knows. Diverged where it is not finite.

    Sides that are no multiples of 16 are reflected up to the next one, and the alpha is cut back.
    """
    network.eval()
    height, width = image.shape[1:]
    margins = (0, -width % STRIDE, 0, -height % STRIDE)
    output: Tensor = network(functional.pad(image[None], margins, mode="reflect").to(device))[0, 0, :height, :width]
    if not output.isfinite().all():
        raise Diverged("the trained network's outputs are not finite")
    trimap = image[3]
    return torch.where(trimap == UNKNOWN, output.cpu().clamp(0, 1), trimap)
