"""SAPA against the published code's numbers, its formula in plain gathers, and its published costs."""

from __future__ import annotations

import pytest
import torch
from golden_agreement import assert_agrees, leaves
from golden_files import load
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

import upsamplers
from upsamplers import testing

CASES = {"base": "sapa/SAPA_k5_s2_tiny", "gated": "sapa/SAPAExp_gate_k5_s2_tiny"}
MODES = ("base", "gated", "inner")


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("mode", CASES)
def test_outputs_similarities_kernels_and_gradients_are_the_published_code_s(mode: str, training: bool) -> None:
    golden = load(CASES[mode])
    op = upsamplers.from_official("sapa", golden.state, kernel_size=5).train(training)
    inputs = leaves(golden)
    z, guide = inputs["x"], inputs["y"]
    similarities: Tensor = op.similarities(z, guide)  # type: ignore[operator]
    outputs = {
        "sim": similarities.squeeze(1).movedim(1, -1),
        "attn": op.weights(z, guide).squeeze(1).movedim(1, -1),
        "out": op(z, guide),
    }
    assert_agrees(golden, op, inputs, outputs)


@pytest.mark.parametrize("mode", CASES)
def test_mode_and_embedding_are_read_from_the_state_dict(mode: str) -> None:
    op = upsamplers.from_official("sapa", load(CASES[mode]).state, scale=3)
    assert vars(op)["mode"] == mode and vars(op)["embedding"] == 64
    with pytest.raises(ValueError, match=f"mode=inner was given, but the state dict has mode={mode}"):
        upsamplers.from_official("sapa", load(CASES[mode]).state, mode="inner")


@pytest.mark.parametrize(("mode", "params", "macs"), [
    ("base", (68, 64), (260, 3_200)),
    ("gated", (101, 97), (293, 3_360)),
    ("inner", (0, 0), (200, 0)),
])  # fmt: skip
@pytest.mark.parametrize("channels", [1, 32, 256])
def test_params_and_macs_are_the_published_formulas(
    mode: str, params: tuple[int, int], macs: tuple[int, int], channels: int
) -> None:
    op = upsamplers.create("sapa", channels=channels, mode=mode)
    assert sum(p.numel() for p in op.parameters()) == params[0] * channels + params[1]
    assert op.macs(3, 5) == 15 * (macs[0] * channels + macs[1])


def windows(x: Tensor, scale: int, kernel_size: int) -> Tensor:
    """Every output point's k×k window of x, zero outside: [B, C, k², sH, sW]."""
    taps = functional.unfold(x, kernel_size, padding=kernel_size // 2).unflatten(1, (x.shape[1], -1))
    taps = taps.unflatten(-1, x.shape[-2:])
    return taps.repeat_interleave(scale, -1).repeat_interleave(scale, -2)


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("scale", [1, 2, 3])
def test_inner_is_softmax_of_the_window_s_inner_products_with_the_guide(scale: int, kernel_size: int) -> None:
    op = upsamplers.create("sapa", channels=6, scale=scale, mode="inner", kernel_size=kernel_size).double()
    z, guide = testing.inputs(op)
    assert guide is not None
    taps = windows(z, scale, kernel_size)
    w = (guide.unsqueeze(2) * taps).sum(1, keepdim=True).softmax(2)
    assert_close(op.weights(z, guide), w)
    assert_close(op(z, guide), (w * taps).sum(2))


def test_gated_is_its_formula_with_the_raw_map_upsampled_before_its_linear_layer() -> None:
    torch.manual_seed(0)
    op = upsamplers.create("sapa", channels=6, guide_channels=4, scale=3, mode="gated", embedding=5).double()
    z, guide = testing.inputs(op)
    assert guide is not None
    layers = dict(op.named_children())

    def last(x: Tensor) -> Tensor:
        return x.movedim(1, -1)

    def up(x: Tensor) -> Tensor:
        return functional.interpolate(x, scale_factor=3, mode="nearest")

    gate = up(layers["gate"](layers["norm_z"](last(z))).sigmoid().movedim(-1, 1))
    of_guide = layers["query"](layers["norm_guide"](last(guide))).movedim(-1, 1)
    query = gate * of_guide + (1 - gate) * layers["query_z"](last(up(z))).movedim(-1, 1)
    key = layers["key"](layers["norm_z"](last(z))).movedim(-1, 1)
    w = (query.unsqueeze(2) * windows(key, 3, 5)).sum(1, keepdim=True).softmax(2)
    assert_close(op.weights(z, guide), w)


@pytest.mark.parametrize("mode", MODES)
def test_a_key_outside_the_map_has_logit_zero_and_takes_its_share(mode: str) -> None:
    torch.manual_seed(0)
    op = upsamplers.create("sapa", channels=4, mode=mode).double()
    z, guide = testing.inputs(op, batch=1, height=1, width=1)
    w = op.weights(z, guide)[0, 0]
    outside = w[[tap for tap in range(25) if tap != 12]]
    assert_close(outside, outside[:1].expand_as(outside), rtol=0, atol=0)
    assert_close(w.sum(0), torch.ones_like(w[0]))
    assert bool((outside > 0).all())


@pytest.mark.parametrize("mode", ["base", "gated"])
def test_guide_and_z_need_not_be_equally_wide(mode: str) -> None:
    op = upsamplers.create("sapa", channels=6, guide_channels=3, mode=mode).double()
    assert op(*testing.inputs(op)).shape == (2, 6, 10, 6)


def test_what_sapa_cannot_do_is_answered_in_one_line() -> None:
    with pytest.raises(upsamplers.Unsupported, match="inner needs guide and z to be equally wide; got 3 and 6"):
        upsamplers.create("sapa", channels=6, guide_channels=3, mode="inner")
    with pytest.raises(upsamplers.OptionError, match="sapa: kernel_size=2 is out of range; allowed: odd, >= 1"):
        upsamplers.create("sapa", channels=6, kernel_size=2)
    with pytest.raises(upsamplers.OptionError, match="sapa: embedding=0 is out of range; allowed: >= 1"):
        upsamplers.create("sapa", channels=6, embedding=0)
