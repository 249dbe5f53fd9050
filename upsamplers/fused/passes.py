"""How a fused pass is registered: a plain definition, and kernels of some backends that give its numbers and gradients.

The definition runs wherever there are no kernels, where a program is exported, under torch's function transforms, and
for derivatives of derivatives. Otherwise a pass is one `torch.library` operator, with another for its gradients;
where nothing watches and no gradient is asked for, the kernel is called without either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._C import _functorch
from torch.utils.flop_counter import register_flop_formula

from upsamplers.primitive import route
from upsamplers.primitive.backends import choose, is_written_out
from upsamplers.primitive.eager import layout
from upsamplers.tracing import is_jit

Kernels = tuple[Callable[..., Tensor], Callable[..., list[Tensor]]]


@dataclass(frozen=True)
class Pass:
    """One fused pass.

    Attributes:
        name: of its operator in the namespace `upsamplers`; that of its gradients is `name`_backward.
        tensors: how many of the arguments are tensors, or None; they come first, the one that decides where it runs
            before all.
        schema: the arguments, as torch.library writes them.
        definition: the pass in plain PyTorch, differentiable to any order.
        shape: (arguments) -> an empty tensor like the result.
        kernels: backend -> (forward, backward), or None where the backend has none. forward gives what `shape` does;
            backward takes the cotangent, the arguments, and a list of which tensors need a gradient, and gives those.
            The operator's gradients have the type and memory format of their tensors; others are copied.
        macs: (shapes of the tensors, None for one that is not given, shape of the result) -> multiply-adds by the
            published convention.
        fits: (backend, arguments) -> whether its kernels are made for them; where not, the definition runs.
    """

    name: str
    tensors: int
    schema: str
    definition: Callable[..., Tensor]
    shape: Callable[..., Tensor]
    kernels: Callable[[str], Kernels | None]
    macs: Callable[[Sequence[Any], Sequence[int]], int]
    fits: Callable[..., bool] | None = None

    def __call__(self, *arguments: Any) -> Tensor:
        """The pass, by whatever computes it best here."""
        tensors = [one for one in arguments[: self.tensors] if one is not None]
        if is_jit() or is_written_out(None) or _transformed():
            return self.definition(*arguments)
        backend, device = choose(tensors[0], None), tensors[0].device
        kernels = self.kernels(backend)
        if (
            kernels is None
            or any(one.device != device or not one.numel() for one in tensors)
            or not (self.fits is None or self.fits(backend, *arguments))
        ):
            return self.definition(*arguments)
        if route.is_direct(*tensors):
            return kernels[0](*arguments)
        result: Tensor = getattr(torch.ops.upsamplers, self.name)(*arguments, backend)
        return result


PASSES: dict[str, Pass] = {}
"""Every fused pass by its name."""


def _transformed() -> bool:
    """Whether one of torch.func's transforms is at work."""
    return not torch.compiler.is_dynamo_compiling() and bool(_functorch.get_interpreter_stack())


def register(one: Pass) -> Pass:
    """Make the operator of a pass and that of its gradients known to torch."""

    def forward(*arguments: Any) -> Tensor:
        kernels = one.kernels(arguments[-1])
        assert kernels is not None
        return kernels[0](*arguments[:-1])

    def differentiated(arguments: Sequence[Any]) -> list[Tensor]:
        tensors, needs = arguments[1 : 1 + one.tensors], arguments[-2]
        return [tensor for tensor, needed in zip(tensors, needs, strict=True) if needed]

    def gradients(*arguments: Any) -> list[Tensor]:
        kernels = one.kernels(arguments[-1])
        assert kernels is not None
        found = zip(kernels[1](*arguments[:-1]), differentiated(arguments), strict=True)
        return [of.to(tensor.dtype).contiguous(memory_format=layout(tensor)) for of, tensor in found]

    def like_inputs(*arguments: Any) -> list[Tensor]:
        return [
            torch.empty(tensor.shape, dtype=tensor.dtype, device=tensor.device, memory_format=layout(tensor))
            for tensor in differentiated(arguments)
        ]

    def keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[: one.tensors])
        ctx.plain = inputs[one.tensors :]

    def backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
        tensors, needs = ctx.saved_tensors, list(ctx.needs_input_grad[: one.tensors])
        if torch.is_grad_enabled() or _transformed():
            found = _by_definition(one, g, tensors, ctx.plain[:-1], needs)
        elif route.is_direct(g, *tensors):
            found = gradients(g, *tensors, *ctx.plain[:-1], needs, ctx.plain[-1])
        else:
            found = derivative(g, *tensors, *ctx.plain[:-1], needs, ctx.plain[-1])
        left = iter(found)
        return (*(next(left) if needed else None for needed in needs), *(None for _ in ctx.plain))

    operator = torch.library.custom_op(
        f"upsamplers::{one.name}", forward, mutates_args=(), schema=f"({one.schema}, str backend) -> Tensor"
    )
    derivative = torch.library.custom_op(
        f"upsamplers::{one.name}_backward",
        gradients,
        mutates_args=(),
        schema=f"(Tensor g, {one.schema}, bool[] needs, str backend) -> Tensor[]",
    )
    operator.register_fake(lambda *arguments: one.shape(*arguments[:-1]))
    derivative.register_fake(like_inputs)
    operator.register_autograd(backward, setup_context=keep)

    @register_flop_formula(getattr(torch.ops.upsamplers, one.name))
    def flops(*shapes: Any, out_shape: Any = None, **more: Any) -> int:
        return 2 * one.macs(shapes, out_shape)

    PASSES[one.name] = one
    return one


def _by_definition(
    one: Pass, g: Tensor, tensors: Sequence[Tensor | None], plain: Sequence[Any], needs: Sequence[bool]
) -> list[Tensor]:
    """The gradients as those of the definition, which can be differentiated again."""
    with torch.enable_grad():
        # fresh names: one argument may have been made from another, whose share is not this pass's to give
        fresh = [None if tensor is None else tensor.view_as(tensor) for tensor in tensors]
        fresh = [
            tensor.requires_grad_() if tensor is not None and needed and not tensor.requires_grad else tensor
            for tensor, needed in zip(fresh, needs, strict=True)
        ]
        wanted = [tensor for tensor, needed in zip(fresh, needs, strict=True) if tensor is not None and needed]
        return list(torch.autograd.grad(one.definition(*fresh, *plain), wanted, g, create_graph=True))
