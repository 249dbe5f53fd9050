"""From logits to kernels: pixel shuffle, sigmoid and softmax over the taps in one pass.

logits [B, G·K·p², H, W] with p×p phases in their channels, plus a map of lower resolution [B, G·K, p·H/r, p·W/r] whose
pixels each count r×r times where one is given, times a factor; then the sigmoid, then softmax over the K taps, each if
asked for: w [B, G, K, p·H, p·W]. Logits are ordered (group, tap), or (tap, group) where taps come first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from upsamplers.fused.passes import Kernels, Pass, register
from upsamplers.repeat import plus_repeated
from upsamplers.shuffle import pixel_shuffle
from upsamplers.softmax import softmax as softmaxed
from upsamplers.tracing import sizes


def _definition(
    logits: Tensor, low: Tensor | None, phases: int, repeat: int, groups: int, taps_first: bool, factor: float,
    sigmoid: bool, softmax: bool,
) -> Tensor:  # fmt: skip
    made = logits if phases == 1 else pixel_shuffle(logits, phases)
    made = made if low is None else plus_repeated(made, low, repeat)
    made = made if factor == 1 else factor * made
    made = made.sigmoid() if sigmoid else made
    taps = sizes(made)[1] // groups
    w = made.unflatten(1, (taps, groups)).transpose(1, 2) if taps_first else made.unflatten(1, (groups, taps))
    return softmaxed(w, 2) if softmax else w


def _shape(logits: Tensor, low: Tensor | None, phases: int, repeat: int, groups: int, *others: Any) -> Tensor:
    batch, rows, height, width = logits.shape
    return logits.new_empty(batch, groups, rows // (phases**2 * groups), phases * height, phases * width)


def _kernels(backend: str) -> Kernels | None:
    if backend != "triton":  # on a CPU torch's own vectorised exponentials are as fast
        return None
    from upsamplers.primitive.cuda import normalising

    return normalising.forward, normalising.backward


def _macs(shapes: Sequence[Any], output: Sequence[int]) -> int:
    """Activations count as nothing."""
    return 0


normalised_kernels = register(
    Pass(
        "normalised_kernels",
        2,
        "Tensor logits, Tensor? low, SymInt phases, SymInt repeat, SymInt groups, bool taps_first, float factor, "
        "bool sigmoid, bool softmax",
        _definition,
        _shape,
        _kernels,
        _macs,
    )
)
"""normalised_kernels(logits, low, phases, repeat, groups, taps_first, factor, sigmoid, softmax) -> w."""
