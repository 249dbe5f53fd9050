"""FADE and FADE-Lite against the published code's numbers, their published costs, and what they cannot do."""

from __future__ import annotations

import pytest
import torch
from golden_agreement import assert_agrees, leaves
from golden_files import load
from torch.testing import assert_close

import upsamplers
from upsamplers import testing

CASES = {"fade": "fade/root_l2h_k5_tiny", "fade_lite": "fade/root_l2h_lite_k5_tiny"}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_outputs_kernels_gates_and_gradients_are_the_published_code_s(name: str, training: bool) -> None:
    golden = load(CASES[name])
    op = upsamplers.from_official(name, golden.state).train(training)
    inputs = leaves(golden)
    z, guide = inputs["de"], inputs["en"]
    outputs = {"kernels": op.weights(z, guide).squeeze(1), "gate": op.gates(z), "out": op(z, guide)}  # type: ignore[operator]
    assert_agrees(golden, op, inputs, outputs)


def test_widths_and_kernel_size_are_read_from_the_state_dict() -> None:
    torch.manual_seed(0)
    made = upsamplers.create("fade", channels=6, kernel_size=3, compressed_channels=8)
    keys = type(made).official(load(CASES["fade"]).state, {})[1]
    state = {theirs: made.state_dict()[ours] for theirs, ours in keys.items()}
    loaded = upsamplers.from_official("fade", state)
    assert (loaded.channels, loaded.kernel_size) == (6, 3)
    z, guide = torch.randn(1, 6, 3, 4), torch.randn(1, 6, 6, 8)
    assert_close(loaded(z, guide), made(z, guide), rtol=0, atol=0)


@pytest.mark.parametrize(("name", "other"), [("fade", "fade_lite"), ("fade_lite", "fade")])
def test_one_s_state_dict_does_not_load_into_the_other(name: str, other: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: 'ker_generator"):
        upsamplers.from_official(name, load(CASES[other]).state)


@pytest.mark.parametrize(("name", "params", "macs"), [
    ("fade", (129, 14_490), (429, 72_000)),
    ("fade_lite", (51, 276), (234, 1_125)),
])  # fmt: skip
@pytest.mark.parametrize("channels", [1, 32, 256])
def test_params_and_macs_are_the_published_formulas(
    name: str, params: tuple[int, int], macs: tuple[int, int], channels: int
) -> None:
    op = upsamplers.create(name, channels=channels)
    assert sum(p.numel() for p in op.parameters()) == params[0] * channels + params[1]
    assert op.macs(3, 5) == 15 * (macs[0] * channels + macs[1])


def test_the_bias_of_the_shared_convolution_counts_twice() -> None:
    torch.manual_seed(0)
    op = upsamplers.create("fade", channels=4).double()
    z, guide = testing.inputs(op, batch=1)
    encode = op.get_submodule("encode")
    with torch.no_grad():
        before = op.weights(z, guide).log()
        encode.get_parameter("bias")[7] += 0.25
        after = op.weights(z, guide).log()
    moved = (after - before)[:, :, 7] - (after - before)[:, :, 8]
    assert_close(moved, torch.full_like(moved, 0.5))


@pytest.mark.parametrize("name", CASES)
def test_a_closed_gate_leaves_the_reassembly_and_an_open_one_the_guide(name: str) -> None:
    torch.manual_seed(0)
    op = upsamplers.create(name, channels=4).double()
    z, guide = testing.inputs(op)
    assert guide is not None
    w = op.weights(z, guide)
    up = upsamplers.reassemble(w, z, scale=2, kernel_size=5)
    with torch.no_grad():
        op.get_parameter("gate.weight").zero_()
        for bias, expected in ((-1e3, up), (1e3, guide)):
            op.get_parameter("gate.bias").fill_(bias)
            assert_close(op(z, guide), expected)


@pytest.mark.parametrize("name", CASES)
def test_another_scale_or_unequal_widths_are_unsupported(name: str) -> None:
    with pytest.raises(upsamplers.Unsupported, match=f"{name}: scale 3 is not possible; allowed: 2"):
        upsamplers.create(name, channels=4, scale=3)
    with pytest.raises(upsamplers.Unsupported, match=f"{name}: guide and z must be equally wide; got 8 and 4"):
        upsamplers.create(name, channels=4, guide_channels=8)
    with pytest.raises(upsamplers.OptionError, match=f"{name}: kernel_size=4 is out of range; allowed: odd, >= 1"):
        upsamplers.create(name, channels=4, kernel_size=4)
