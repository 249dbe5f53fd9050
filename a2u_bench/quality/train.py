"""The trainer: one network from one seed, epoch by epoch, on examples that lie in memory; killed, it goes on as it was.

What an example is and what its loss, is the task's. After each epoch everything that the next one depends on is in the
checkpoint: weights, statistics, optimiser, schedule, both random states and the curve so far. On CPU with equal threads
the resumed curve is the same, bit for bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler, MultiStepLR

from a2u_bench.quality import checkpoints
from a2u_bench.quality.presets import Preset

APART = 20
"""Steps between looks at the loss, on an accelerator."""


class Diverged(Exception):
    """The loss is no finite number; the message says where."""


class Examples(Protocol):
    """What a network is trained on: so many examples, in memory."""

    @property
    def device(self) -> torch.device:
        """Where the network is."""

    @property
    def least(self) -> int:
        """Fewest examples of a batch; a last one of fewer is left out of its epoch."""

    def __len__(self) -> int: ...

    def loss(self, network: nn.Module, picked: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """What is minimised over the examples of these indices, and their mean square error in [0, 1] beside it.

        Whatever is drawn for them is drawn from `random`, on the CPU.
        """


@dataclass(frozen=True)
class Progress:
    """One step of a training: epochs done, those in part included; its loss, and the PSNR in dB of its batch."""

    epochs: float
    loss: float
    psnr: float


@dataclass
class Curve:
    """What each epoch came to, on the images trained on: mean loss, PSNR in dB of the mean square error, seconds."""

    loss: list[float] = field(default_factory=list)
    psnr: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.loss)


class Training:
    """One training in progress.

    Args:
        network: on the device of the examples; made after `torch.manual_seed`, by whoever calls.
        examples: what it is trained on.
        preset: its schedule.
        seed: of the order of the examples, and of what is drawn for them.
        trial: id, by which a checkpoint is known to be of this training.
    """

    def __init__(self, network: nn.Module, examples: Examples, preset: Preset, seed: int, trial: str = "") -> None:
        self.network, self.examples, self.preset, self.trial = network, examples, preset, trial
        self.curve = Curve()
        whole, rest = divmod(len(examples), preset.batch)
        self.steps = whole + (rest >= examples.least)
        # On an accelerator a look at the loss waits for all that was asked of it, so it is not taken at every step.
        self.look = 1 if examples.device.type == "cpu" else APART
        self.order = torch.Generator().manual_seed(seed)
        self.optimiser = _optimiser(network, preset)
        self.schedule = _schedule(self.optimiser, preset, self.steps)

    def run(self, checkpoint: Path | None = None, watch: Callable[[Progress], None] | None = None) -> Curve:
        """Train to the end, from the checkpoint where there is one; Diverged where the loss is no finite number."""
        if checkpoint is not None and (state := checkpoints.load(checkpoint, self.trial)) is not None:
            self.restore(state)
        while len(self.curve) < self.preset.epochs:
            self._epoch(watch)
            if checkpoint is not None:
                checkpoints.save(checkpoint, self.state())
        return self.curve

    def _epoch(self, watch: Callable[[Progress], None] | None) -> None:
        began, done, device = time.perf_counter(), len(self.curve), self.examples.device
        seen = torch.zeros(self.steps, 2, device=device)  # loss and mean square error in [0, 1] of each step
        looked = 0
        self.network.train()
        picks = torch.randperm(len(self.examples), generator=self.order).to(device).split(self.preset.batch)
        for step, picked in enumerate(picks[: self.steps], 1):
            loss, square = self.examples.loss(self.network, picked, self.order)
            seen[step - 1, 0] = loss.detach()
            seen[step - 1, 1] = square
            if step % self.look == 0 or step == self.steps:
                for at, (now, _) in enumerate(fresh := seen[looked:step].tolist(), looked + 1):
                    if not math.isfinite(now):
                        raise Diverged(f"the loss is {now} in epoch {done + 1}, step {at} of {self.steps}")
                looked = step
                if watch is not None:
                    watch(Progress(done + step / self.steps, fresh[-1][0], psnr(fresh[-1][1])))
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            self.schedule.step()
        sizes = [len(picked) for picked in picks[: self.steps]]
        share = torch.tensor(sizes, dtype=torch.float64) / sum(sizes)
        mean, square = (share @ seen.double().cpu()).tolist()
        self.curve.loss.append(mean)
        self.curve.psnr.append(psnr(square))
        self.curve.seconds.append(time.perf_counter() - began)

    def state(self) -> checkpoints.State:
        """Everything that the next epoch depends on."""
        state: checkpoints.State = {
            "trial": self.trial,
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "order": self.order.get_state(),
            "random": torch.get_rng_state(),
            "curve": {"loss": self.curve.loss, "psnr": self.curve.psnr, "seconds": self.curve.seconds},
        }
        if self.examples.device.type == "cuda":
            state["random_cuda"] = torch.cuda.get_rng_state(self.examples.device)
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.order.set_state(state["order"])
        torch.set_rng_state(state["random"])
        if self.examples.device.type == "cuda" and "random_cuda" in state:
            torch.cuda.set_rng_state(state["random_cuda"], self.examples.device)
        self.curve = Curve(**state["curve"])


def psnr(square: float) -> float:
    """PSNR in dB of a mean square error in [0, 1]; 100 at most."""
    return -10 * math.log10(max(square, 1e-10))


def _optimiser(network: nn.Module, preset: Preset) -> torch.optim.Optimizer:
    if preset.optimiser == "sgd":
        return torch.optim.SGD(network.parameters(), preset.learning_rate, preset.momentum)
    return torch.optim.Adam(network.parameters(), preset.learning_rate)


def _schedule(optimiser: torch.optim.Optimizer, preset: Preset, steps: int) -> LRScheduler:
    """Stepped after every batch."""
    total = preset.epochs * steps
    if preset.drops:
        return MultiStepLR(optimiser, [round(share * preset.epochs) * steps for share in preset.drops], 0.1)
    if not preset.warmup:
        return CosineAnnealingLR(optimiser, total)
    rising = max(1, round(preset.warmup * total))
    falling = max(1, total - rising)
    return LambdaLR(
        optimiser,
        lambda step: (step + 1) / rising if step < rising else (1 + math.cos(math.pi * (step - rising) / falling)) / 2,
    )
