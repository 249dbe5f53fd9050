"""`torch.vmap` over the primitives: one call for each element, stacked."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from upsamplers.primitive import library, products, similarities


def _register(operator: Any) -> None:
    @operator.register_vmap
    def each(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[Tensor, int]:
        def element(number: int) -> list[Any]:
            pairs = zip(arguments, in_dims, strict=True)
            return [a.select(dim, number) if isinstance(dim, int) else a for a, dim in pairs]

        return torch.stack([operator(*element(number)) for number in range(info.batch_size)]), 0


for _operator in (*(getattr(library, name) for name in library.__all__), products.products, similarities.similarities):
    _register(_operator)
