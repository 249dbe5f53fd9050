"""Holds an operator to a golden case: outputs to 1e-10, and derivatives by inputs and every parameter to 1e-9."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from golden_files import Golden
from torch import Tensor
from torch.testing import assert_close

from upsamplers import Upsampler
from upsamplers.registry import class_options


def leaves(golden: Golden) -> dict[str, Tensor]:
    """The case's inputs, ready to be differentiated."""
    return {name: value.clone().requires_grad_() for name, value in golden.inputs.items()}


def assert_agrees(golden: Golden, op: Upsampler, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]) -> None:
    """Raise where an output, or the derivative of Σ_o ⟨out.o, R.o⟩ by any input or parameter, differs."""
    missing = golden.cotangents.keys() - outputs.keys()
    assert not missing, f"outputs that the case has and the test does not compare: {missing}"
    for name, value in outputs.items():
        assert_close(value, golden.outputs[name], rtol=1e-10, atol=1e-10, msg=_named(name))
    sum((outputs[name] * cotangent).sum() for name, cotangent in golden.cotangents.items()).backward()  # type: ignore[union-attr]
    derivatives = {name: leaf.grad for name, leaf in inputs.items()}
    own = dict(op.named_parameters())
    plain = {name: getattr(op, name, None) for name in class_options(type(op))}
    given = {name: value for name, value in plain.items() if isinstance(value, (int, str))}
    keys = type(op).official(golden.state, {"scale": op.scale, **given})[1] if own else {}
    derivatives |= {f"sd.{theirs}": own[ours].grad for theirs, ours in keys.items() if ours in own}
    assert len(derivatives) == len(inputs) + len(own), "a parameter has no official key"
    for name, gradient in derivatives.items():
        assert gradient is not None, f"{name} has no derivative"
        assert_close(gradient, golden.gradients[name], rtol=1e-9, atol=1e-9, msg=_named(f"derivative by {name}"))


def _named(name: str) -> Callable[[str], str]:
    return lambda difference: f"{name}: {difference}"
