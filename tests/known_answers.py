"""One answer per operator that this project did not compute: torch's own operators, or numbers of the published code.

Each entry raises where the operator disagrees with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from golden_files import load
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

import upsamplers
from upsamplers import reference
from upsamplers.attender import offsets
from upsamplers.image_guided import ImageGuided
from upsamplers.tracing import sides

Z = torch.randn(2, 6, 5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def by_definition(name: str, z: torch.Tensor, guide: torch.Tensor | None, scale: int) -> torch.Tensor:
    """wᵀz by the reference from the operator's own weights, so that a native forward does not answer for itself."""
    torch.manual_seed(0)
    op = upsamplers.create(name, channels=z.shape[1], scale=scale).double()
    w = op.weights(z, guide)
    up = reference.reassemble(w, z, scale=scale, kernel_size=op.kernel_size, border=op.border)
    return op.epilogue(up, z, guide)


def interpolation(name: str) -> Callable[[], None]:
    def answer() -> None:
        for scale in (2, 3, 4):
            align = None if name == "nearest" else False
            expected = functional.interpolate(Z, scale_factor=scale, mode=name, align_corners=align)
            assert_close(by_definition(name, Z, None, scale), expected, rtol=1e-10, atol=1e-10)

    return answer


def deconv() -> None:
    torch.manual_seed(0)
    op = upsamplers.create("deconv", channels=6).double()
    kernel, bias = dict(op.named_parameters())["transposed.weight"], dict(op.named_parameters())["transposed.bias"]
    expected = functional.conv_transpose2d(Z, kernel, bias, stride=2, padding=1, output_padding=1)
    assert_close(by_definition("deconv", Z, None, 2), expected, rtol=1e-10, atol=1e-10)


def pixel_shuffle() -> None:
    torch.manual_seed(0)
    op = upsamplers.create("pixel_shuffle", channels=6).double()
    weight, bias = op.parameters()
    expected = functional.pixel_shuffle(functional.conv2d(Z, weight, bias, padding=1), 2)
    assert_close(by_definition("pixel_shuffle", Z, None, 2), expected, rtol=1e-10, atol=1e-10)


def max_unpool() -> None:
    guide = torch.randn(2, 6, 10, 14, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    _, indices = functional.max_pool2d(guide, 2, return_indices=True)
    expected = functional.max_unpool2d(Z, indices, (2, 2))
    assert_close(by_definition("max_unpool", Z, guide, 2), expected, rtol=0, atol=0)


def convex_by_unfold(z: torch.Tensor, mask: torch.Tensor, scale: int) -> torch.Tensor:
    """RAFT's formula: mask [B, 9·s², H, W] as 9 logits for each of s² phases, softmax over the 9 neighbours of z."""
    batch, channels, height, width = z.shape
    w = mask.view(batch, 1, 9, scale, scale, height, width).softmax(2)
    neighbours = functional.unfold(z, 3, padding=1).view(batch, channels, 9, 1, 1, height, width)
    phases = (w * neighbours).sum(2)  # [B, C, s, s, H, W]
    return phases.permute(0, 1, 4, 2, 5, 3).reshape(batch, channels, scale * height, scale * width)


def convex(scale: int = 2) -> None:
    torch.manual_seed(0)
    state = upsamplers.create("convex", channels=6, scale=scale).double().state_dict()
    hidden = functional.conv2d(Z, state["hidden.weight"], state["hidden.bias"], padding=1).relu()
    mask = 0.25 * functional.conv2d(hidden, state["mask.weight"], state["mask.bias"])
    expected = convex_by_unfold(Z, mask, scale)
    assert_close(by_definition("convex", Z, None, scale), expected, rtol=1e-10, atol=1e-10)


def eucb() -> None:
    torch.manual_seed(0)
    for scale in (1, 2, 3):
        op = upsamplers.create("eucb", channels=6, scale=scale).double().eval()
        state = op.state_dict()
        for name in ("norm.running_mean", "norm.weight", "norm.bias"):
            state[name].normal_()
        up = functional.interpolate(Z, scale_factor=scale, mode="nearest")
        up = functional.conv2d(up, state["depthwise.weight"], padding=1, groups=6)
        up = functional.batch_norm(
            up, *(state[f"norm.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        )
        expected = functional.conv2d(up.relu(), state["pointwise.weight"], state["pointwise.bias"])
        w = op.weights(Z)
        found = reference.reassemble(w, Z, scale=scale, kernel_size=3)
        assert_close(op.epilogue(found, Z), expected, rtol=1e-10, atol=1e-10)
        assert_close(op(Z), expected, rtol=1e-10, atol=1e-10)


def uplift_net() -> None:
    """From the formula, layer by layer; the parameters are as many as the authors'."""
    torch.manual_seed(0)
    op = upsamplers.create("uplift_net", channels=5, scale=4).double().eval()
    state = op.state_dict()
    for name, tensor in state.items():
        if name.endswith(("running_mean", "layers.1.weight", "layers.4.weight")):
            tensor.normal_()

    def block(name: str, x: Tensor, count: int) -> Tensor:
        out = x
        for layer in range(0, 3 * count, 3):
            out = functional.conv2d(out, state[f"{name}.layers.{layer}.weight"], padding=1)
            norm = (state[f"{name}.layers.{layer + 1}.{p}"] for p in ("running_mean", "running_var", "weight", "bias"))
            out = functional.batch_norm(out, *norm).relu()
        out = functional.conv2d(out, *(state[f"{name}.layers.{3 * count}.{p}"] for p in ("weight", "bias")))
        both = min(x.shape[1], out.shape[1])
        return torch.cat([out[:, :both] + x[:, :both], out[:, both:]], 1)

    maps = [torch.randn(2, 3, 21, 17, dtype=torch.float64)]
    z = torch.randn(2, 5, 4, 3, dtype=torch.float64)
    image, low = maps[0], z
    for number in range(5):
        maps.append(block(f"encoder.{number}", maps[-1], 1))
    for _ in range(2):
        height, width = low.shape[2:]
        d = block("before", torch.cat([low, functional.interpolate(maps[5], (height, width))], 1), 2)
        u = functional.conv_transpose2d(d, state["enlarge.weight"], state["enlarge.bias"], 2)
        u = u + functional.interpolate(d, (2 * height, 2 * width), mode="bilinear", align_corners=True)
        guide = block("after", torch.cat([u, functional.interpolate(maps[4], (2 * height, 2 * width))], 1), 2)
        weight, bias = (state[f"attender.conv1.{part}"] for part in ("weight", "bias"))
        shares = (functional.conv2d(guide, weight, bias) + guide[:, :17]).softmax(1)
        padded = functional.interpolate(functional.pad(low, (2, 2, 2, 2), "replicate"), scale_factor=2)
        low = torch.zeros(2, 5, 2 * height, 2 * width, dtype=torch.float64)
        for n, (y, x) in enumerate(offsets(17)):
            low += shares[:, n : n + 1] * padded[:, :, 2 * y + 4 :, 2 * x + 4 :][..., : 2 * height, : 2 * width]
    w, (source, where) = op.weights(z, image), op.reads(z, image)
    assert_close(reference.reassemble(w, source, **where), low, rtol=1e-10, atol=1e-10)
    assert_close(op(z, image), low, rtol=1e-10, atol=1e-10)


def published(name: str, case: str, z: str, guide: str | None, output: str, **options: Any) -> Callable[[], None]:
    """A golden case of the published code: names of its inputs that are z and the guide, and of its output."""

    def answer() -> None:
        golden = load(case)
        op = upsamplers.from_official(name, golden.state, **options).train(golden.training)
        given = golden.inputs[z], golden.inputs[guide] if guide else None
        source, where = op.reads(*given)
        up = reference.reassemble(op.weights(*given), source, **where)
        assert_close(op.epilogue(up, *given), golden.outputs[output], rtol=1e-10, atol=1e-10)

    return answer


def image_guided(name: str, case: str, **options: Any) -> Callable[[], None]:
    """A golden case of published code that an image guides, at the size of its output."""

    def answer() -> None:
        golden = load(case)
        made = upsamplers.from_official(name, golden.state, **options) if golden.state else upsamplers.create(
            name, channels=None, **options
        )  # fmt: skip
        assert isinstance(made, ImageGuided)
        z, image, size = golden.inputs["z"], golden.inputs["image"], sides(golden.outputs["out"])
        w, (source, where) = made.weights(z, image, size), made.reads(z, image, size)
        up = made.epilogue(reference.reassemble(w, source, **where), z, image)
        assert_close(up, golden.outputs["out"], rtol=1e-10, atol=1e-10)

    return answer


KNOWN_ANSWERS: dict[str, Callable[[], None]] = {
    "nearest": interpolation("nearest"),
    "bilinear": interpolation("bilinear"),
    "bicubic": interpolation("bicubic"),
    "deconv": deconv,
    "pixel_shuffle": pixel_shuffle,
    "max_unpool": max_unpool,
    "index_net": published("index_net", "indexnet/m2o_nl1_ctx1_tiny_train", "dec", "x", "up"),
    "carafe": published("carafe", "carafe/s2_k5_g1_ek3_d1_tiny", "x", None, "out"),
    "a2u": published("a2u", "a2u/share_s3_k6_g1_tiny", "dec", "x", "up", channels=16),
    "fade": published("fade", "fade/root_l2h_k5_tiny", "de", "en", "out"),
    "fade_lite": published("fade_lite", "fade/root_l2h_lite_k5_tiny", "de", "en", "out"),
    "sapa": published("sapa", "sapa/SAPAExp_gate_k5_s2_tiny", "x", "y", "out"),
    "dysample": published("dysample", "dysample/lp_ds1_g4_s2_tiny", "x", None, "out"),
    "convex": convex,
    "eucb": eucb,
    "ddf_up": published("ddf_up", "ddf_up/s3_joint_2x3", "x", "joint", "out"),
    "resfu": published("resfu", "resfu/s2_tiny_mid16", "x", "y", "out"),
    "freqfusion": published("freqfusion", "freqfusion/resample_tiny", "lr", "hr", "lr"),
    "lda_aqu": published("lda_aqu", "lda_aqu/k3_g2_s2_tiny", "x", None, "out"),
    "sapa_d": published("sapa_d", "sapa_d/p9_g4_s2_tiny", "x", "y", "out"),
    "dlu": published("dlu", "dlu/s2_k5_tiny", "x", None, "out"),
    "uplift": published("uplift", "uplift/attender_n17_g20_x2", "z", "guide", "out", channels=8),
    "uplift_net": uplift_net,
    "naf": image_guided("naf", "naf/D16_h4r2_k3_out11x15_nonint", heads=4, kernel_size=3),
    "guided_filter": image_guided("guided_filter", "guided_filter/gray_r1_out14x17", guide_channels=1),
    "upsample_anything": image_guided("upsample_anything", "upsample_anything/R2_s4", radius=2),
    "raysup": image_guided("raysup", "raysup/D32_h2_out12x14", heads=2),
    "anyup": image_guided("anyup", "anyup/d8_win0.3_h4_out10x14", heads=4, window=0.3),
    "jafar": image_guided("jafar", "jafar/d8_h4_out10x14", heads=4),
    "featup_jbu": image_guided("featup_jbu", "featup_jbu/stack_k4_r1_x16", scale=16),
    "jbu": image_guided("jbu", "jbu/pac_s3_k7", guide_channels=1, kernel_size=7, sigma_color=0.2, sigma_space=2.5),
}
