"""Image-guided operators against the published code's numbers: outputs, kernels, taps and derivatives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from golden_agreement import assert_agrees, leaves
from golden_files import Golden, cases, load
from torch.nn import functional
from torch.testing import assert_close

import upsamplers
from a2u_bench.case import Case
from a2u_bench.measure.predict import predict
from upsamplers import Taps, Upsampler
from upsamplers.image_guided import ImageGuided
from upsamplers.registry import operator_class
from upsamplers.tracing import sides

OPTIONS: dict[str, Any] = {
    "naf": lambda hyper: {"heads": hyper["heads_attn"], "kernel_size": hyper["kernel_size"]},
    "anyup": lambda hyper: {"heads": hyper["num_heads"], "window": hyper["window_ratio"]},
    "raysup": lambda hyper: {"heads": hyper["num_heads"]},
    "jafar": lambda hyper: {"heads": hyper["num_heads"]},
}
"""What the weights do not tell, by operator."""


def lived(golden: Golden, name: str) -> Golden:
    """The case without parameters of no effect, as the operator has it."""
    cls = operator_class(name)
    of_parameters = {key[3:]: value for key, value in golden.gradients.items() if key.startswith("sd.")}
    gradients = {key: value for key, value in golden.gradients.items() if not key.startswith("sd.")}
    gradients |= {f"sd.{key}": value for key, value in cls.unwrapped(of_parameters).items()}
    return replace(golden, state=dict(cls.unwrapped(golden.state)), gradients=gradients)


def official(name: str, golden: Golden) -> ImageGuided:
    if name == "jbu":
        hyper = golden.hyper
        options = {key: hyper[key] for key in ("kernel_size", "sigma_color", "sigma_space", "guide_channels", "scale")}
        op: Upsampler = upsamplers.create(name, channels=None, **options)
    else:
        op = upsamplers.from_official(name, golden.state, **OPTIONS.get(name, lambda hyper: {})(golden.hyper))
    assert isinstance(op, ImageGuided)
    return op


def found(op: ImageGuided, inputs: dict[str, torch.Tensor], golden: Golden) -> dict[str, torch.Tensor]:
    size = sides(golden.outputs["out"])
    return {"out": op(inputs["z"], inputs["image"], size), "w": op.weights(inputs["z"], inputs["image"], size)}


@pytest.mark.parametrize("case", [*cases("naf"), *cases("raysup"), *cases("jbu")])
def test_outputs_kernels_taps_and_derivatives_are_the_published_code_s(case: str) -> None:
    name = case.partition("/")[0]
    golden = lived(load(case), name)
    op, inputs = official(name, golden), leaves(golden)
    outputs = found(op, inputs, golden)
    rows, columns = op.taps(sides(inputs["z"]), sides(outputs["out"]))
    side = golden.middle["rows"].shape[1]
    assert [line[::side] for line in rows] == [tuple(line) for line in golden.middle["rows"].tolist()]
    assert [line[:side] for line in columns] == [tuple(line) for line in golden.middle["cols"].tolist()]
    assert_agrees(golden, op, inputs, outputs)


@pytest.mark.parametrize("case", [*cases("naf"), *cases("raysup"), *cases("jbu")])
@pytest.mark.parametrize("size", [1 << 10, 1 << 14])
def test_blocks_of_rows_give_the_same_numbers_and_derivatives(
    case: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = case.partition("/")[0]
    golden = lived(load(case), name)
    op, inputs = official(name, golden), leaves(golden)
    monkeypatch.setattr("upsamplers.image_guided.LARGEST", size)
    z, size_of = inputs["z"], sides(golden.outputs["out"])
    assert len(op.blocks(z, op.taps(sides(z), size_of))) > 1
    with torch.no_grad():
        assert_close(op(z, inputs["image"], size_of), golden.outputs["out"], rtol=1e-10, atol=1e-10)
    assert_agrees(golden, op, inputs, found(op, inputs, golden))


def whole(w: torch.Tensor, taps: Taps, height: int, width: int) -> torch.Tensor:
    """Kernels [B, 1, K, Ho, Wo] as kernels of all cells of z, [B, 1, h·w, Ho, Wo]."""
    out = w.new_zeros(w.shape[0], 1, height * width, *w.shape[3:])
    rows, columns = (torch.tensor(table) for table in taps)
    there = ((rows >= 0)[:, None] & (columns >= 0)[None]).permute(2, 0, 1)
    at = (rows.clamp(min=0)[:, None] * width + columns.clamp(min=0)[None]).permute(2, 0, 1)
    return out.scatter_add(2, at.expand_as(w), w * there)


@pytest.mark.parametrize("largest", [1 << 28, 1 << 10])
@pytest.mark.parametrize("case", [*cases("anyup"), *cases("jafar")])
def test_attention_over_cells_is_the_published_code_s(case: str, largest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    name = case.partition("/")[0]
    golden = lived(load(case), name)
    op, inputs = official(name, golden), leaves(golden)
    monkeypatch.setattr("upsamplers.image_guided.LARGEST", largest)
    outputs, z_size = found(op, inputs, golden), sides(inputs["z"])
    taps = op.taps(z_size, sides(outputs["out"]))
    if "rows" in golden.middle and golden.hyper["window_ratio"]:
        side = max(b - a for a, b in golden.middle["cols"].tolist())
        for lines, key, step in ((taps.rows, "rows", slice(None, None, side)), (taps.cols, "cols", slice(side))):
            ranges = [list(range(*one)) for one in golden.middle[key].tolist()]
            assert [[n for n in line[step] if n >= 0] for line in lines] == ranges
    outputs["w"] = whole(outputs["w"], taps, *z_size)
    assert_agrees(golden, op, inputs, outputs)


def test_attention_has_the_published_parameters_and_work_but_for_those_of_no_effect() -> None:
    d = 128
    for name, channels, published, dead in (
        ("anyup", 384, 878_080, 2 * d**2 + 2 * d),
        *(("jafar", c, n, d**2 + d * c + 2 * d + c) for c, n in ((384, 628_480), (768, 727_168), (1024, 792_960))),
    ):
        op = upsamplers.create(name, channels=channels, scale=16)
        assert sum(parameter.numel() for parameter in op.parameters()) == published - dead, name
    for name, gflop in (("anyup", 168), ("jafar", 319)):
        op = upsamplers.create(name, channels=384, scale=16)
        assert int(2 * op.macs(28, 28) / 1e9) == gflop
    pixels, cells, channels = 448**2, 28**2, 384  # the released AnyUp multiplies all keys, and values of no effect
    convolutions = pixels * (3 * d + 23 * d**2) + cells * (25 * d * channels + 26 * d**2)
    projections = 2 * pixels * d**2 + 2 * cells * d**2
    assert round(2 * (convolutions + projections + pixels * cells * (2 * d + channels)) / 1e9, 1) == 368.6
    op = upsamplers.create("anyup", channels=channels, scale=16)
    assert isinstance(op, ImageGuided)
    needed = convolutions + pixels * d**2 + cells * d**2 + op.tile_products(28, 28)[0] * (d + channels)
    assert op.macs(28, 28) == needed


def test_naf_has_the_published_parameters_and_work() -> None:
    op = upsamplers.create("naf", channels=384, scale=16)
    assert sum(parameter.numel() for parameter in op.parameters()) == 662_528
    assert round(2 * op.macs(28, 28) / 1e9, 1) == 285.4
    assert round(2 * (op.macs(28, 28) - 448**2 * 81 * (256 + 384)) / 1e9, 1) == 264.6


def test_a_checkpoint_s_wrapping_and_its_layers_of_no_effect_are_left_out(tmp_path: Path) -> None:
    state = load("jafar/d8_h4_out10x14").state
    torch.save({"jafar": state, "optimizer": {"step": 3}, "epoch": 1}, tmp_path / "jafar.pth")
    given: Any
    for given in (state, {"jafar": state}, upsamplers.load_state(tmp_path / "jafar.pth")):
        op = upsamplers.from_official("jafar", given, heads=4)
        assert op.get_parameter("cross_decode.cross_attn.attention.in_proj_weight").shape == (16, 8)
        assert not [key for key in op.state_dict() if "out_proj" in key or "v_proj" in key or "norm_v" in key]
    with pytest.raises(upsamplers.StateDictError, match="jafar: the keys do not fit: unknown 'more'"):
        upsamplers.from_official("jafar", {**state, "more": torch.zeros(1)}, heads=4)
    with pytest.raises(upsamplers.StateDictError, match="channels=5 was given, but the state dict has channels=6"):
        upsamplers.from_official("jafar", state, heads=4, channels=5)


def test_the_guided_filter_is_the_published_code_s() -> None:
    golden = load("guided_filter/gray_r1_out14x17")
    op = upsamplers.create("guided_filter", channels=6, guide_channels=1)
    inputs = leaves(golden)
    del inputs["image_low"]  # the image's reduction, an input of its own there
    outputs = found(op, inputs, golden)  # type: ignore[arg-type]
    for name, value in outputs.items():
        assert_close(value, golden.outputs[name], rtol=1e-10, atol=1e-10)
    assert_close(outputs["w"].sum(2), torch.ones_like(outputs["w"][:, :, 0]))
    (outputs["out"] * golden.cotangents["out"]).sum().backward()
    image = golden.inputs["image"].clone().requires_grad_()
    small = functional.interpolate(image, golden.inputs["z"].shape[2:], mode="bilinear", antialias=True)
    assert_close(small, golden.inputs["image_low"], rtol=1e-10, atol=1e-10)
    (through,) = torch.autograd.grad(small, image, golden.gradients["image_low"])
    assert_close(inputs["z"].grad, golden.gradients["z"], rtol=1e-9, atol=1e-9)
    assert_close(inputs["image"].grad, golden.gradients["image"] + through, rtol=1e-9, atol=1e-9)


def test_the_guided_filter_takes_the_mean_of_an_image_or_a_guide_of_z_s_channels() -> None:
    z, image = torch.randn(1, 5, 6, 4, dtype=torch.float64), torch.randn(1, 3, 12, 8, dtype=torch.float64)
    grey, colour = upsamplers.create("guided_filter", channels=5), upsamplers.create("guided_filter", channels=3)
    one = upsamplers.create("guided_filter", channels=5, guide_channels=1)
    assert_close(grey(z, image), one(z, image.mean(1, keepdim=True)))
    assert grey.weights(z, image).shape[1] == 1 and colour.weights(z[:, :3], image).shape[1] == 3
    each = torch.cat([one(z, image[:, n : n + 1])[:, n : n + 1] for n in range(3)], 1)
    assert_close(colour(z[:, :3], image), each)
    with pytest.raises(upsamplers.Unsupported, match="guided_filter: the guide must have 1, 3 or 5 channels; got 4"):
        upsamplers.create("guided_filter", channels=5, guide_channels=4)


def test_raysup_has_the_parameters_and_work_of_its_released_code() -> None:
    op = upsamplers.create("raysup", channels=384, scale=16)
    assert sum(parameter.numel() for parameter in op.parameters()) == 102_592
    assert op.macs(14, 14) == 224**2 * (24 * 64**2 + 33 * 64 + 36 * (256 + 384))


def test_naf_reads_the_window_of_an_integer_ratio_shifted_inside() -> None:
    op = upsamplers.create("naf", channels=None, kernel_size=3)
    rows = op.taps((5, 5), (20, 20))[0]
    assert [line[::3] for line in rows] == [tuple(min(max(i // 4 - 1, 0), 2) + t for t in range(3)) for i in range(20)]


def test_one_module_serves_every_width_of_z_and_any_size_of_image() -> None:
    for name in ("naf", "jbu"):
        op = upsamplers.create(name, channels=None).double()
        image = torch.randn(1, 3, 50, 41, dtype=torch.float64)
        for channels, size in ((4, (30, 23)), (8, (9, 12))):
            z = torch.randn(1, channels, 9, 10, dtype=torch.float64)
            with torch.no_grad():
                assert op(z, image, size).shape == (1, channels, *size)


def test_jbu_of_a_constant_is_that_constant_at_any_ratio() -> None:
    op = upsamplers.create("jbu", channels=2, scale=16).double()
    z, image = torch.full((1, 2, 4, 5), 3.0, dtype=torch.float64), torch.randn(1, 3, 64, 80, dtype=torch.float64)
    assert_close(op(z, image), torch.full((1, 2, 64, 80), 3.0, dtype=torch.float64))
    assert_close(op(z, image, (33, 47)), torch.full((1, 2, 33, 47), 3.0, dtype=torch.float64))


def test_what_cannot_be_is_answered_in_one_line() -> None:
    naf = upsamplers.create("naf", channels=None, width=16, rope_heads=1)
    z, image = torch.randn(1, 4, 9, 9), torch.randn(1, 3, 18, 18)
    for arguments, said in (
        ((z[..., :8], image), r"naf: z must be at least 9 pixels high and wide; got \(1, 4, 9, 8\)"),
        ((z[:, :3], image), r"naf: z must have a multiple of heads=4 channels"),
        ((z, None), r"naf: needs an image \[B, 3, H, W\]; z comes first"),
        (
            (image, z),
            r"naf: the image must be \[1, 3, H, W\] for z \(1, 3, 18, 18\); got \(1, 4, 9, 9\); z comes first",
        ),
        ((z, image, (8, 18)), r"naf: size must be at least that of z, \(9, 9\); got \(8, 18\)"),
        ((z, image, 18), r"naf: size must be \(height, width\) of the output, two integers; got 18"),
        ((z, image, (18.0, 18)), r"naf: size must be \(height, width\) of the output, two integers"),
        ((z, image.long()), r"naf: guide must be floating point; got torch.int64"),
    ):
        with pytest.raises(ValueError, match=said):
            naf(*arguments)
    for options in ({"heads": 3}, {"width": 24}, {"rope_heads": 3}):
        with pytest.raises(upsamplers.Unsupported, match="naf: width must be a multiple of 16, heads and 4·rope_heads"):
            upsamplers.create("naf", channels=12, **{"width": 16, "rope_heads": 1, **options})
    with pytest.raises(upsamplers.Unsupported, match="naf: channels must be a multiple of heads; got 6"):
        upsamplers.create("naf", channels=6)
    for option, value in (("kernel_size", 4), ("sigma_color", 0.0), ("sigma_space", -1.0)):
        with pytest.raises(upsamplers.OptionError, match=f"jbu: {option}={value} is out of range"):
            upsamplers.create("jbu", channels=4, **{option: value})  # type: ignore[arg-type]


def test_an_image_that_is_not_normalised_is_noted_once() -> None:
    op = upsamplers.create("jbu", channels=None)
    z, image = torch.randn(1, 2, 3, 3), 255 * torch.ones(1, 3, 6, 6)
    with pytest.warns(UserWarning, match="jbu: image values up to 255; it should be normalised"):
        op(z, image)
    op(z, image)


def test_taps_of_operators_that_read_data_dependent_points_are_refused() -> None:
    with pytest.raises(ValueError, match="dysample: what an output reads is no table"):
        upsamplers.create("dysample", channels=8).taps((3, 3))
    assert upsamplers.create("carafe", channels=8).taps((3, 4)) == Taps.window((3, 4), 2, 5, "zero")


@pytest.mark.parametrize(("name", "width"), [("anyup", 128), ("naf", 256), ("jafar", 128), ("featup_jbu", 384)])
def test_kernels_are_never_whole_where_they_are_large(name: str, width: int) -> None:
    """448×448 from 32×32: kernels of AnyUp alone would take 0.8 GB for each head, of JAFAR eight times as much.

    `width` is that of the map beside the output: features of the image, or what FeatUp's last level reads.
    """
    case = Case(name, "default", name, 1, 384, 32, 32, scale=14)
    output, features, z = 384 * 448**2 * 4, width * 448**2 * 4, 384 * 32**2 * 4
    assert predict(case).call.peak <= 1.5 * (output + features + z)
