"""Operators that misbehave in every way that one can: each is nearest-neighbour upsampling with one fault."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import torch
from torch import Tensor

from upsamplers import Facts, Paper, Unsupported, Upsampler


def facts(name: str) -> Facts:
    return Facts(
        name=name,
        title=name,
        family="distance-based",
        paper=Paper("nobody", "nothing", "nowhere", 2021),
        kernel_size=1,
        groups="1",
        taps="1",
    )


def hang() -> None:
    """Say so, then never return."""
    sys.stderr.write("I hang\n")
    sys.stderr.flush()
    time.sleep(3600)


class Sound(Upsampler):
    """What the others would be without their fault."""

    facts = facts("sound")

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        return z.new_ones(1, 1, 1, self.scale, self.scale)

    def macs(self, height: int, width: int) -> int:
        return self.channels * height * width * self.scale**2


class Hangs(Sound):
    facts = facts("hangs")

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        hang()
        return z


class HangsLater(Sound):
    """Sound while it is examined; hangs from its sixtieth call on, which is in the middle of timing."""

    facts = facts("hangs_later")
    calls = 0

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        type(self).calls += 1
        if self.calls > 60:
            hang()
        return super().forward(z, guide)


class Crashes(Sound):
    facts = facts("crashes")

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        ctypes.string_at(0)
        return z


class Leaves(Sound):
    facts = facts("leaves")

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        sys.stderr.write("I am leaving\n")
        sys.stderr.flush()
        os._exit(3)


class Exits(Sound):
    facts = facts("exits")

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        sys.exit("enough")


class Greedy(Sound):
    facts = facts("greedy")

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        raise MemoryError("no more")


class Insatiable(Sound):
    facts = facts("insatiable")

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        return torch.empty(1 << 52, dtype=torch.uint8)


class Killed(Sound):
    """Ended from outside, as the system does when memory runs out."""

    facts = facts("killed")

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        os.kill(os.getpid(), 9)
        return z


class Noisy(Sound):
    """Correct, but it prints, binary noise too, and to the descriptor itself."""

    facts = facts("noisy")

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        sys.stdout.write("noise " * 100)
        os.write(1, bytes(range(256)))
        os.write(2, b"\x80\x04K\x01.")
        return super().forward(z, guide)


class InPlace(Sound):
    facts = facts("in_place")

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        with torch.no_grad():
            z.add_(1)
        return super().forward(z, guide)


class InPlaceGuide(Sound):
    facts = dataclasses.replace(facts("in_place_guide"), guide="required")

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        assert guide is not None
        with torch.no_grad():
            guide.mul_(2)
        return super().forward(z, guide)


class NanGradients(Sound):
    """Its values are right; √0 has no gradient."""

    facts = facts("nan_gradients")

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        return super().forward(z, guide) + 0 * (z - z.detach()).sum().sqrt()


class Nan(Sound):
    facts = facts("nan")

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        up = super().forward(z, guide).clone()
        up[..., -1, -1] = float("nan")
        return up


class WrongShape(Sound):
    facts = facts("wrong_shape")

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        return super().forward(z, guide)[..., 1:]


class WrongDtype(Sound):
    facts = facts("wrong_dtype")

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        return super().forward(z, guide).double()


class WrongType(Sound):
    facts = facts("wrong_type")

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        return (super().forward(z, guide),)  # type: ignore[return-value]


class WrongValues(Sound):
    facts = facts("wrong_values")

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        return super().forward(z, guide) * 1.01


class LeaksThreads(Sound):
    """Leaves threads behind that never end."""

    facts = facts("leaks_threads")

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        threading.Thread(target=time.sleep, args=(3600,)).start()
        return super().forward(z, guide)


class Swells(Sound):
    """Takes more memory than it may have, outside torch and unforeseen."""

    facts = facts("swells")

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + (64 << 20), resource.RLIM_INFINITY))
        hoard = [bytearray(16 << 20) for _ in range(100)]
        return super().forward(z, guide) * len(hoard)


class ClosesFiles(Sound):
    """Closes every file of its process, the pipe of the answers too."""

    facts = facts("closes_files")

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        os.closerange(3, 1024)
        return super().forward(z, guide)


class LeavesChildren(Sound):
    """Starts processes that would outlive it."""

    facts = facts("leaves_children")

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        subprocess.Popen(["sleep", "3600"])
        return super().forward(z, guide)


class Refuses(Sound):
    """Cannot be built."""

    facts = facts("refuses")

    def __init__(self, channels: int, guide_channels: int | None = None, scale: int = 2) -> None:
        raise Unsupported("refuses: no channels will do")


class Throws(Sound):
    facts = facts("throws")

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        raise RuntimeError("two\nlines")


class ThrowsWhenBuilt(Sound):
    """A constructor that raises what no constructor should."""

    facts = facts("throws_when_built")

    def __init__(self, channels: int, guide_channels: int | None = None, scale: int = 2) -> None:
        raise RuntimeError("two\nlines")


class TellsPrecision(Sound):
    """Says whether float32 products may be made in TF32, as it is called."""

    facts = facts("tells_precision")

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        allowed = (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32)
        raise RuntimeError(f"TF32 of products and convolutions: {allowed}")


class WrongFarAway(Sound):
    """Wrong in the last value of a large map alone."""

    facts = facts("wrong_far_away")

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        up = torch.nn.functional.interpolate(z, scale_factor=self.scale)
        up[-1, -1, -1, -1] += 1
        return up
