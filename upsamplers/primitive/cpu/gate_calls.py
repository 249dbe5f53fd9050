"""From tensors to kernels, for a gate between two maps."""

from __future__ import annotations

import torch
from torch import Tensor

from upsamplers.primitive.cpu import gate, packets, threads
from upsamplers.primitive.eager import accumulator


def _wide(up: Tensor, guide: Tensor, logits: Tensor) -> tuple[torch.dtype, Tensor, Tensor, Tensor]:
    """The widest of the types; up and guide as kernels read them; the gate in the type of arithmetic."""
    kind = torch.promote_types(torch.promote_types(up.dtype, guide.dtype), logits.dtype)
    up, guide = packets.readable(up, kind), packets.readable(guide, kind)
    return kind, up, guide, logits.detach().to(accumulator(kind)).sigmoid().contiguous()


def forward(up: Tensor, guide: Tensor, logits: Tensor, scale: int) -> Tensor:
    """gate·guide + (1 − gate)·up."""
    kind, up, guide, opened = _wide(up, guide, logits)
    out = packets.map_like(up, up.shape)
    parts = threads.parts_for(2 * out.numel(), up.shape[0] * up.shape[2])
    packets.run(
        threads.compiled(gate.blend, up.dtype), parts, packets.numbers(*up.shape[:2], *opened.shape[2:], scale), opened,
        up, packets.numbers(*up.stride()), guide, packets.numbers(*guide.stride()), out, packets.numbers(*out.stride()),
        torch.empty(parts, up.shape[3], dtype=opened.dtype),
    )  # fmt: skip
    return out.to(kind)


def backward(g: Tensor, up: Tensor, guide: Tensor, logits: Tensor, scale: int, needs: list[bool]) -> list[Tensor]:
    """The gradients in up, the guide and the logits, of those that are needed."""
    types = (up.dtype, guide.dtype, logits.dtype)
    _, up, guide, opened = _wide(up, guide, logits)
    g = g.detach().to(up.dtype)
    of_up, of_guide, of_gate = packets.map_like(up, up.shape), packets.map_like(up, up.shape), torch.empty_like(opened)
    parts = threads.parts_for(3 * g.numel(), up.shape[0] * opened.shape[2])
    dims = packets.numbers(*up.shape[:2], *opened.shape[2:], scale)
    packets.run(
        threads.compiled(gate.gradients, up.dtype), parts, dims, opened, up, packets.numbers(*up.stride()),
        guide, packets.numbers(*guide.stride()), of_up, of_guide, packets.numbers(*of_up.stride()),
        torch.empty(parts, 2 * up.shape[3], dtype=opened.dtype), g, packets.numbers(*g.stride()), of_gate,
    )  # fmt: skip
    found = (of_up, of_guide, of_gate * opened * (1 - opened))
    return [one.to(kind) for one, kind, needed in zip(found, types, needs, strict=True) if needed]
