"""What a fused pass could save A2U: the parts of its forward pass on the suites' shapes, in CPU milliseconds.

One thread, the shortest of several calls. A pass that made every kernel in registers, from the affinity a and a
sample's P, would spare at most what lies between the two: the product P ⊗ a, the shuffle, sigmoid and softmax.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import torch
from torch.nn import functional

import upsamplers
from upsamplers.ops.a2u import A2U

SHAPES = ((64, 32), (256, 16), (256, 32), (256, 64), (256, 120))
"""Channels, and height and width, of z in the suites quick, segformer-b1 and paper."""


def shortest(call: Callable[[], object], seconds: float = 0.5) -> float:
    """CPU milliseconds of the shortest of at least five calls."""
    times: list[float] = []
    while len(times) < 5 or sum(times) < seconds:
        begin = time.thread_time()
        call()
        times.append(time.thread_time() - begin)
    return 1e3 * min(times)


def parts(channels: int, side: int) -> dict[str, float]:
    """The milliseconds of each part."""
    torch.manual_seed(0)
    op = upsamplers.create("a2u", channels=channels).eval()
    assert isinstance(op, A2U)
    z, guide = torch.randn(1, channels, side, side), torch.randn(1, channels, 2 * side, 2 * side)

    a, mean = op._affinity_of(guide, 2)
    w = op._up_kernels(mean, a)
    gates = functional.pixel_shuffle(op._logits(op.up_head, mean, a), 2).sigmoid()
    return {
        "forward": shortest(lambda: op(z, guide)),
        "affinity": shortest(lambda: op._affinity_of(guide, 2)),
        "P": shortest(lambda: op.up_head(mean[:, :, None, None])),
        "P and w": shortest(lambda: op._up_kernels(mean, a)),
        "softmax": shortest(lambda: gates.unflatten(1, (-1, 1)).transpose(1, 2).softmax(2)),
        "wᵀz": shortest(lambda: op.assemble(w, z, guide)),
    }


def main() -> int:
    torch.set_num_threads(1)
    names: tuple[str, ...] = ()
    with torch.no_grad():
        for channels, side in SHAPES:
            found = parts(channels, side)
            if not names:
                names = tuple(found)
                say("z", *names, "saves ≤")
            most = max(0.0, found["P and w"] - found["P"]) / found["forward"]
            say(f"1×{channels}×{side}×{side}", *(f"{found[name]:.2f}" for name in names), f"{most:.1%}")
    return 0


def say(first: str, *others: str) -> None:
    sys.stdout.write(f"{first:<13}" + "".join(f"{text:>10}" for text in others) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
