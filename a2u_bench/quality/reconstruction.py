"""The toy reconstruction as a task: a network that gives back its input, trained by L1, scored by PSNR and the like.

Images are normalised by (0.1307, 0.3081) and the loss is L1 between the network's output and its input, as in the
papers.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from a2u_bench.quality import data
from a2u_bench.quality.data import Images
from a2u_bench.quality.network import Reconstruction
from a2u_bench.quality.pairs import Pair
from a2u_bench.quality.presets import Preset
from a2u_bench.quality.scores import score
from a2u_bench.quality.train import Diverged
from a2u_bench.quality.trial import Trial

MEAN, DEVIATION = 0.1307, 0.3081
"""MNIST's, which the papers use for Fashion-MNIST."""


class Copies:
    """Images to be given back as they are.

    Args:
        images: [N, 1, H, W] in [0, 1], on the device of the network.
    """

    least = 1

    def __init__(self, images: Tensor) -> None:
        self.images = normalise(images)

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.images.device

    def __len__(self) -> int:
        return len(self.images)

    def loss(self, network: nn.Module, picked: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """L1 of the normalised images, and the mean square error of images in [0, 1]; nothing is drawn."""
        target = self.images[picked]  # [B, 1, H, W]
        output = network(target)
        loss = functional.l1_loss(output, target)
        return loss, functional.mse_loss(output.detach(), target) * DEVIATION**2


@dataclass(frozen=True)
class Reconstructing:
    """The reconstruction of these images."""

    data: Images

    @property
    def name(self) -> str:
        """Of the data set."""
        return self.data.name

    @property
    def sha256(self) -> dict[str, str]:
        """Of its files."""
        return self.data.sha256

    @property
    def images(self) -> int:
        """How many are trained on."""
        return len(self.data.train)

    @property
    def test_images(self) -> int:
        """How many are scored."""
        return len(self.data.test)

    def part(self, trial: Trial) -> Reconstructing:
        """All of it: trials differ in their pairs alone."""
        return self

    def network(self, pair: Pair) -> nn.Module:
        """The untrained network. Impossible for an operator that cannot serve its channels."""
        return Reconstruction(pair)

    def examples(self, device: torch.device) -> Copies:
        """The training images on the device."""
        return Copies(self.data.train.to(device))

    def scores(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """Of the test images. Diverged where the network's outputs are no finite numbers."""
        outputs = reconstruct(network, self.data.test.to(device)).cpu()
        if not outputs.isfinite().all():
            raise Diverged("the trained network's outputs are not finite")
        found = asdict(score(outputs[:, 0].numpy(), self.data.test[:, 0].numpy()))
        return {name: value for name, value in found.items() if value is not None}


def load(text: str, preset: Preset) -> Reconstructing:
    """The data of that name, as many images as the preset says. UsageError or BenchError where there are none."""
    return Reconstructing(data.load(text, preset.train_images, preset.test_images))


def normalise(images: Tensor) -> Tensor:
    """Images in [0, 1] as the network sees them."""
    return (images - MEAN) / DEVIATION


@torch.no_grad()
def reconstruct(network: nn.Module, images: Tensor, batch: int = 100) -> Tensor:
    """The network's output for images [N, 1, H, W] in [0, 1], brought back to [0, 1]."""
    network.eval()
    parts = [network(normalise(part)) * DEVIATION + MEAN for part in images.split(batch)]
    return torch.cat(parts).clamp(0, 1)
