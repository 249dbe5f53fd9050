"""The contract of an operator, as functions that raise AssertionError: for our own tests and for anyone's operator.

from upsamplers.testing import check_operator
check_operator(MyUpsampler)                      # every check, at scales 1 to 4 where the operator allows them
check_operator(MyUpsampler, {"rank": 2})
check_operator(MyUpsampler, device="cuda")
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.testing import assert_close

from upsamplers import counting, reference
from upsamplers.errors import Unsupported
from upsamplers.operator import Facts, Upsampler
from upsamplers.primitive import reassemble
from upsamplers.registry import class_options, create_class

SCALES = (1, 2, 3, 4)
WIDTHS = (8, 32, 72, 144)
"""Channels to try, in order: some operators need a multiple of their groups or of s²."""


def build(
    cls: type[Upsampler], options: Mapping[str, Any], scale: int, seed: int = 0, device: str = "cpu"
) -> Upsampler | None:
    """The operator in float64 and eval mode at the first width that it supports; None where the scale is impossible."""
    torch.manual_seed(seed)
    for width in WIDTHS:
        try:
            op = create_class(cls, width, None, scale, dict(options)).double().eval()
        except Unsupported:
            continue
        with torch.no_grad():
            for parameter in op.parameters():  # move away from special initial values such as zero offsets
                parameter.add_(0.1 * torch.randn_like(parameter))
        return op.to(device)
    return None


def inputs(
    op: Upsampler, batch: int = 2, height: int = 5, width: int = 3, seed: int = 1, device: str = "cpu"
) -> tuple[Tensor, Tensor | None]:
    """z and, unless the operator takes none, its guide: odd, not square, standard normal, float64."""
    height, width = max(height, op.least_size), max(width, op.least_size)
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(batch, op.channels, height, width, dtype=torch.float64, generator=generator)
    if op.needs_guide == "none":
        return z.to(device), None
    size = (batch, op.guide_channels, *op.guide_size(height, width))
    return z.to(device), torch.randn(size, dtype=torch.float64, generator=generator).to(device)


def check_facts(op: Upsampler) -> None:
    """Facts are complete, and every declared variant's options exist."""
    facts = op.facts
    assert isinstance(facts, Facts), f"facts must be a Facts; got {facts!r}"
    for field in ("name", "title", "groups", "taps"):
        assert getattr(facts, field), f"{facts.name}: facts.{field} is empty"
    paper = facts.paper
    assert paper is None or (paper.title and paper.authors and paper.year > 1900), (
        f"{facts.name}: the paper is incomplete"
    )
    assert facts.variants, f"{facts.name}: declares no variant"
    labels = [variant.label for variant in facts.variants]
    assert len(set(labels)) == len(labels), f"{facts.name}: two variants share a label: {labels}"
    allowed = class_options(type(op))
    for variant in facts.variants:
        unknown = set(variant.options) - set(allowed)
        assert not unknown, f"{facts.name}: variant {variant.label!r} has unknown options {sorted(unknown)}"


def check_definition(op: Upsampler, z: Tensor, guide: Tensor | None, tolerance: float = 1e-10) -> None:
    """forward equals the epilogue of the reference's wᵀz with this operator's own weights and points."""
    with torch.no_grad():
        w, (source, where) = op.weights(z, guide), op.reads(z, guide)
        check_weights(op, w, z, source, where)
        up = reference.reassemble(w, source, **where)
        expected = op.epilogue(up, z, guide)
        got = op(z, guide)
    assert got.shape == (z.shape[0], op.out_channels, op.scale * z.shape[2], op.scale * z.shape[3]), tuple(got.shape)
    assert_close(got, expected, rtol=tolerance, atol=tolerance)


def check_weights(op: Upsampler, w: Tensor, z: Tensor, source: Tensor, where: Mapping[str, Any]) -> None:
    """The kernels have a shape that fits z."""
    try:
        reassemble(w, source, **where)
    except ValueError as error:
        batch, height, width = z.shape[0], op.scale * z.shape[2], op.scale * z.shape[3]
        expected = f"[{batch} or 1, G, K, {height}, {width}] for z {tuple(z.shape)}"
        message = f"{op.facts.name}: weights(z, guide) must be {expected}; got {tuple(w.shape)} ({error})"
        raise AssertionError(message) from None


def check_macs(op: Upsampler, z: Tensor, guide: Tensor | None) -> None:
    """The formula gives the multiply-adds that torch's counter meets in forward; more where it cannot see them all."""
    try:
        stated = z.shape[0] * op.computed_macs(z.shape[2], z.shape[3])
        assert z.shape[0] * op.macs(z.shape[2], z.shape[3]) <= stated, "computed_macs are fewer than macs"
    except NotImplementedError as error:
        raise AssertionError(f"{op.facts.name}: {error}") from None
    found, by_hand = counting.counted(op, z, guide)
    met = sum(found.values())
    parts = ", ".join(f"{name} {count}" for name, count in found.items()) or "nothing"
    assert stated == met or (by_hand and stated > met), (
        f"{op.facts.name}: macs({z.shape[2]}, {z.shape[3]}) makes {stated} multiply-adds of z {tuple(z.shape)} at "
        f"scale {op.scale}; forward makes {met}: {parts}. Convolutions, matrix products, interpolation and wᵀz count; "
        "biases, norms, activations and pooling do not"
    )


def check_twin(op: Upsampler, guide: Tensor, tolerance: float = 1e-10) -> None:
    """downsample equals the reference's wᵀx with the twin's own weights; halve gives it, and kernels of forward."""
    with torch.no_grad():
        w = op.down_weights(guide)
        expected = reference.downassemble(w, guide, op.scale, op.down_kernel_size, op.border)
        got = op.downsample(guide)
        halved, kernels = op.halve(guide)
    assert got.shape == (*guide.shape[:2], guide.shape[2] // op.scale, guide.shape[3] // op.scale), tuple(got.shape)
    assert_close(got, expected, rtol=tolerance, atol=tolerance)
    assert_close(halved, got, rtol=0, atol=_repeats(guide))
    if kernels is not None:
        z = torch.randn(got.shape[0], op.channels, *got.shape[2:]).to(got)
        with torch.no_grad():
            assert_close(op.assemble(kernels, z, guide), op(z, guide), rtol=tolerance, atol=tolerance)


def check_inputs_unchanged(op: Upsampler, z: Tensor, guide: Tensor | None) -> None:
    """forward leaves its inputs as they were."""
    kept = [tensor.clone() for tensor in (z, guide) if tensor is not None]
    with torch.no_grad():
        op(z, guide)
    for now, before in zip((z, guide), kept, strict=False):
        assert now is None or torch.equal(now, before), "forward changed an input in place"


def check_samples_are_independent(op: Upsampler, z: Tensor, guide: Tensor | None) -> None:
    """In eval mode a batch is its samples, one by one."""
    with torch.no_grad():
        whole = op(z, guide)
        parts = [op(z[i : i + 1], None if guide is None else guide[i : i + 1]) for i in range(len(z))]
    assert_close(whole, torch.cat(parts), rtol=1e-10, atol=1e-10)


def check_gradients(op: Upsampler, z: Tensor, guide: Tensor | None) -> None:
    """Derivatives with respect to z, the guide and every parameter agree with finite differences."""
    leaves = [z.clone().requires_grad_()] + ([] if guide is None else [guide.clone().requires_grad_()])
    names = [name for name, _ in op.named_parameters()]

    def forward(*tensors: Tensor) -> Tensor:
        state = dict(zip(names, tensors[len(leaves) :], strict=True))
        given = (tensors[0], tensors[1] if guide is not None else None)
        return torch.func.functional_call(op, state, given)

    parameters = [parameter.detach().clone().requires_grad_() for _, parameter in op.named_parameters()]
    own = 1e3 * _repeats(z)
    assert torch.autograd.gradcheck(forward, (*leaves, *parameters), fast_mode=True, atol=1e-4, nondet_tol=own)


def _repeats(tensor: Tensor) -> float:
    """How far two runs of the same float64 code may differ: not at all, but for the order of sums on a GPU."""
    return 0.0 if tensor.device.type == "cpu" else 1e-12


def check_state_dict(op: Upsampler, z: Tensor, guide: Tensor | None) -> None:
    """A state dict carries all that forward depends on; parameters exist from construction."""
    other = copy.deepcopy(op)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
        other.load_state_dict(op.state_dict())
        loaded, own = other(z, guide), op(z, guide)
    assert_close(loaded, own, rtol=0, atol=_repeats(z), msg="a loaded copy gives another output")


@contextmanager
def whole_float32() -> Iterator[None]:
    """float32 convolutions of float32 numbers: GPUs make them in TF32 unless told not to."""
    before, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def check_dtypes(op: Upsampler, z: Tensor, guide: Tensor | None) -> None:
    """float32, float16 and bfloat16 run, keep their dtype and stay near the float64 result."""
    with torch.no_grad(), whole_float32():
        exact = op(z, guide)
        for dtype, tolerance in ((torch.float32, 1e-4), (torch.bfloat16, 0.25), (torch.float16, 0.05)):
            low = copy.deepcopy(op).to(dtype)
            got = low(z.to(dtype), None if guide is None else guide.to(dtype))
            assert got.dtype == dtype, f"{dtype} in, {got.dtype} out"
            assert bool(got.isfinite().all()), f"{dtype}: the output is not finite"
            error = float((got.double() - exact).abs().mean() / exact.abs().mean().clamp(min=1e-12))
            assert error <= tolerance, f"{dtype}: mean relative error {error:.3g} > {tolerance}"


def check_wrong_shapes_raise(op: Upsampler, z: Tensor, guide: Tensor | None) -> None:
    """Wrong channels, a missing or misfitting guide: ValueError, not a wrong answer."""
    _raises(lambda: op(z[:, :-1], guide), "z with too few channels")
    _raises(lambda: op(z[0], guide), "z without a batch")
    if guide is not None and op.facts.guide_size == "output":
        _raises(lambda: op(z, guide[..., :-1]), "a guide that is too narrow")
    if guide is not None and op.facts.guide_size == "any":
        _raises(lambda: op(z, guide[:, :-1]), "an image with too few channels")
        _raises(lambda: op(z, guide[:-1]), "an image with too small a batch")
    if op.needs_guide == "required":
        _raises(lambda: op(z, None), "a missing guide")


def _raises(call: Callable[[], object], what: str) -> None:
    try:
        call()
    except ValueError:
        return
    raise AssertionError(f"{what} raised no ValueError")


def check_operator(cls: type[Upsampler], options: Mapping[str, Any] | None = None, device: str = "cpu") -> None:
    """Every check of the contract, at every scale from 1 to 4 that the operator allows, on a device.

    Prints what was checked, one line for a scale.

    Raises:
        TypeError: what is given is no class of an operator.
        AssertionError: the first part of the contract that does not hold, with the operator and the scale.
    """
    if not (isinstance(cls, type) and issubclass(cls, Upsampler)):
        raise TypeError(f"check_operator takes a class that derives from Upsampler, not its name; got {cls!r}")
    served = []
    for scale in SCALES:
        checked = check_at_scale(cls, options or {}, scale, device)
        name = f"{cls.facts.name if isinstance(getattr(cls, 'facts', None), Facts) else cls.__name__}, scale {scale}"
        print(f"{name}: {'ok: ' + ', '.join(checked) if checked else 'not possible'}")  # noqa: T201
        served += [scale] if checked else []
    assert served, f"{cls.__name__}: no scale of {SCALES} is possible at any width of {WIDTHS}"


def check_at_scale(
    cls: type[Upsampler], options: Mapping[str, Any], scale: int, device: str = "cpu"
) -> tuple[str, ...]:
    """Every check at one scale; what was checked, in words, which is nothing where the operator cannot serve it."""
    op = build(cls, options, scale, device=device)
    if op is None:
        return ()
    z, guide = inputs(op, device=device)
    checks: dict[str, Callable[[], None]] = {
        "facts": lambda: check_facts(op),
        "forward = definition": lambda: check_definition(op, z, guide),
        "a 1×1 map": lambda: check_definition(op, *inputs(op, batch=1, height=1, width=1, device=device)),
        "multiply-adds": lambda: check_macs(op, *inputs(op, batch=1, device=device)),
        "inputs unchanged": lambda: check_inputs_unchanged(op, z, guide),
        "samples independent": lambda: check_samples_are_independent(op, z, guide),
        "state dict": lambda: check_state_dict(op, z, guide),
        "float32, float16, bfloat16": lambda: check_dtypes(op, z, guide),
        "wrong shapes raise": lambda: check_wrong_shapes_raise(op, z, guide),
    }
    if scale == 2:
        checks["gradients"] = lambda: check_gradients(op, *inputs(op, batch=1, height=3, width=2, device=device))
    if op.facts.twin:
        checks["downsampling twin"] = lambda: _check_twin(cls, options, scale, device)
    for check in checks.values():
        check()
    return tuple(checks)


def _check_twin(cls: type[Upsampler], options: Mapping[str, Any], scale: int, device: str) -> None:
    twin = build(cls, {**options, "twin": True}, scale, device=device)
    assert twin is not None, f"{cls.facts.name}: twin=True is impossible where twin=False is not"
    guide = (2, twin.guide_channels, 5 * scale, 3 * scale)
    generator = torch.Generator().manual_seed(2)
    check_twin(twin, torch.randn(guide, dtype=torch.float64, generator=generator).to(device))
