"""What w looks like: kernels and entropies by hand, pictures from strangers, and the command."""

from __future__ import annotations

import json
import math
import os
import re
import struct
import zlib

import numpy as np
import pytest
import torch
from golden_files import load
from PIL import Image
from safetensors.torch import save_file

from a2u_bench import operators
from a2u_bench.cli import main
from a2u_bench.errors import UsageError
from a2u_bench.export.plots import page
from a2u_bench.export.plots.kernels import BUNDLED, chosen_points, draw, look_at, read_image, usual_scale
from a2u_bench.export.plots.kernels.features import halve, lift, normalised
from a2u_bench.export.plots.kernels.look import entropy

RANDOM = np.random.default_rng(0)
PICTURE = RANDOM.random((32, 40, 3))


def look(operator: str, **options):
    return look_at(PICTURE, operator, **({"scale": 2, "channels": 8, "seed": 0} | options))[0]


def test_bilinear_kernels_are_the_ones_of_the_textbook():
    kernel = look("bilinear").kernel(0, 10, 13)  # an even row looks up, an odd column looks right
    np.testing.assert_allclose(kernel, np.outer([0.25, 0.75, 0], [0, 0.75, 0.25]), atol=1e-12)


def test_one_phase_repeats_over_the_picture():
    assert np.array_equal(look("bicubic").kernel(0, 4, 7), look("bicubic").kernel(0, 20, 31))
    assert look("bicubic").map().shape == (32, 40)


@pytest.mark.parametrize(
    "operator", ["a2u", "carafe", "index_net", "dysample", "sapa", "bilinear", "lda_aqu", "sapa_d", "ddf_up:dilation=2"]
)
def test_a_kernel_over_its_neighbourhood_is_what_the_operator_gives(operator):
    seen = look(operator)
    module = operators.seeded(operator, 8, 2, 0)
    guide = lift(PICTURE, 8, 0)
    z = halve(guide, 2)
    given = [torch.from_numpy(part)[None].float() for part in (z, guide)]
    with torch.inference_mode():
        made = module(*given)[0] if module.facts.guide != "none" else module(given[0])[0]
    y, x, group = 15, 20, seen.groups - 1
    kernel = np.nan_to_num(seen.kernel(group, y, x))
    half = kernel.shape[0] // 2
    part = z[7, y // 2 - half : y // 2 + half + 1, x // 2 - half : x // 2 + half + 1]  # the last channel, last group
    assert (kernel * part).sum() == pytest.approx(float(made[7, y, x]), abs=1e-4)


@pytest.mark.parametrize(
    "operator", ["naf:kernel_size=3", "anyup", "jafar", "jbu", "guided_filter", "upsample_anything"]
)
@pytest.mark.parametrize(("y", "x"), [(15, 20), (0, 39)])
def test_a_kernel_that_an_image_guides_is_over_the_cells_that_its_table_names(operator, y, x):
    seen = look(operator)
    guide = normalised(PICTURE)
    z = halve(lift(PICTURE, 8, 0), 2)
    given = [torch.from_numpy(part)[None].float() for part in (z, guide)]
    with torch.inference_mode():
        made = operators.seeded(operator, 8, 2, 0)(*given)[0]
    kernel = seen.kernel(seen.groups - 1, y, x)
    half = kernel.shape[0] // 2
    padded = np.pad(z[7], half)[y // 2 : y // 2 + 2 * half + 1, x // 2 : x // 2 + 2 * half + 1]
    assert (np.nan_to_num(kernel) * padded).sum() == pytest.approx(float(made[7, y, x]), abs=1e-4)
    assert seen.taps == seen.w.shape[1] and seen.map().shape == (32, 40)


def test_a_pixel_that_no_cell_is_in_reach_of_has_a_kernel_of_nothing():
    assert look("jbu:kernel_size=1", scale=8).kernel(0, 0, 0).tolist() == [[0]]


def test_pictures_are_larger_steps_where_an_image_guides_and_too_small_ones_are_refused():
    assert usual_scale(["a2u", "naf:heads=2"]) == 8 and usual_scale(["a2u", "uplift"]) == 2
    with pytest.raises(UsageError, match="kernels: naf: z must be at least 9 pixels high and wide"):
        look("naf", scale=8)


def test_a_kernel_over_channels_too_is_summed_over_them():
    seen = look("deconv")
    assert seen.w.shape == (8, 8 * 9, 2, 2)  # never spread over the picture
    np.testing.assert_allclose(seen.kernel(3, 1, 0), seen.w[3, :, 1, 0].reshape(8, 3, 3).sum(0))
    assert seen.map().shape == (32, 40)


def test_entropy_by_hand():
    box, one, none = np.full((1, 9, 1), 1 / 9), np.eye(9)[None, :, :1], np.zeros((1, 4, 1))
    two = np.array([[[0.5], [-0.5], [0], [0]]])  # of a negative weight the size counts
    assert entropy(box)[0, 0] == pytest.approx(math.log2(9))
    assert entropy(one)[0, 0] == 0
    assert entropy(none)[0, 0] == 0
    assert entropy(two)[0, 0] == pytest.approx(1)


def test_one_tap_has_no_entropy_so_its_weight_is_shown():
    seen = look("index_net")
    assert seen.taps == 1
    np.testing.assert_allclose(seen.map(), seen.w[0, 0])


def test_features_are_those_of_the_picture_and_of_the_seed():
    features = lift(PICTURE, 5, 3)
    assert features.shape == (5, 32, 40)
    np.testing.assert_allclose(features.mean((1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(features.std((1, 2)), 1)
    assert np.array_equal(features, lift(PICTURE, 5, 3))
    assert not np.array_equal(features, lift(PICTURE, 5, 4))
    assert not lift(np.ones((16, 16, 3)), 2, 0).any()  # a picture of one colour has no features, and no NaN
    np.testing.assert_allclose(halve(features, 2)[:, 0, 0], features[:, :2, :2].mean((1, 2)))


def test_official_weights_make_their_kernels(tmp_path):
    golden = load("a2u/share_s3_k6_g1_tiny")
    save_file({key: value.contiguous() for key, value in golden.state.items()}, tmp_path / "a2u.safetensors")
    trained = look("a2u", scale=None, weights=str(tmp_path / "a2u.safetensors"))
    assert trained.scale == 2
    np.testing.assert_allclose(trained.w.sum(1), 1, atol=1e-12)  # in the weights' own float64


@pytest.mark.parametrize("operator", ["carafe", "nearest", "a2u:rank=3"])
def test_weights_of_another_operator_are_refused_by_their_keys(operator, tmp_path):
    golden = load("a2u/share_s3_k6_g1_tiny")
    save_file({key: value.contiguous() for key, value in golden.state.items()}, tmp_path / "a2u.safetensors")
    with pytest.raises(UsageError, match=operator.partition(":")[0]):
        look(operator, scale=None, weights=str(tmp_path / "a2u.safetensors"))


def test_chosen_points_are_apart_inside_and_the_last_is_flat():
    picture, _ = read_image(BUNDLED, 208)
    points = chosen_points(picture)
    assert len(points) == 4
    assert all(8 <= x < 200 and 8 <= y < 152 for x, y in points)
    assert min(math.dist(a, b) for a in points for b in points if a != b) > 40
    assert len(chosen_points(np.ones((16, 16, 3)))) >= 1


def test_the_bundled_picture_is_small_and_in_colour():
    assert BUNDLED.stat().st_size < 100_000
    picture, shrunk = read_image(BUNDLED, 104)
    assert picture.shape == (80, 104, 3)
    assert shrunk == pytest.approx(0.5)
    assert 0 <= picture.min() < picture.max() <= 1


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "I;16", "F", "CMYK", "LA"])
def test_every_kind_of_pixel_becomes_colour(mode, tmp_path):
    values = (RANDOM.random((20, 30)) * 255).astype(np.uint8)
    grey = Image.fromarray(values)
    if mode == "I;16":
        image = Image.fromarray(values.astype(np.uint16) * 257)
    elif mode == "F":
        image = Image.fromarray(values.astype(np.float32))
    else:
        image = grey.convert(mode)
    path = tmp_path / ("p.tiff" if mode in ("F", "CMYK") else "p.png")
    image.save(path)
    picture, _ = read_image(path, 64)
    assert picture.shape == (20, 30, 3)
    assert picture.std() > 0.1
    if mode in ("L", "I;16"):
        np.testing.assert_allclose(picture[..., 0], (values - values.min() * (mode != "L")) / 255, atol=0.02)


def png(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG that claims this size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", data) + chunk(b"IEND", b"")


BAD = {
    "text": (b"not a picture", "cannot be read as a picture"),
    "nothing": (b"", "cannot be read as a picture"),
    "a header alone": (b"\x89PNG\r\n\x1a\n", "cannot be read as a picture"),
    "a torn picture": (BUNDLED.read_bytes()[:30_000], "cannot be read as a picture"),
    "damaged pixels": (png(32, 32, b"\x00" * 40), "cannot be read as a picture"),
    "a bomb": (png(60_000, 60_000, zlib.compress(b"\0" * 1000)), "is more than 50000000 pixels|cannot be read"),
    "a large one": (png(9_000, 9_000, zlib.compress(b"\0" * 1000)), "9000×9000 is more than 50000000 pixels"),
    "a page of PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "cannot be read as a picture"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_picture_is_one_line(name, tmp_path):
    content, says = BAD[name]
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(UsageError, match=says):
        read_image(tmp_path / "x.png", 64)


def test_a_picture_is_refused_before_its_pixels_are_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("decoded"))
    (tmp_path / "x.png").write_bytes(png(9_000, 9_000))
    with pytest.raises(UsageError, match="pixels"):
        read_image(tmp_path / "x.png", 64)


def test_what_is_no_file_is_one_line(tmp_path):
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for ever
    for path, says in (
        (tmp_path, "is no file"),
        (tmp_path / "pipe", "is no file"),
        (tmp_path / "none", "no such file"),
    ):
        with pytest.raises(UsageError, match=says):
            read_image(path, 64)
    with pytest.raises(UsageError, match=r"no such file|null"):
        read_image(tmp_path / "a\0b", 64)
    Image.fromarray(np.zeros((4, 400, 3), np.uint8)).save(tmp_path / "thin.png")
    with pytest.raises(UsageError, match="400×4 after scaling is too small"):
        read_image(tmp_path / "thin.png", 400)


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_the_command_draws_operators_side_by_side(form, capsys, tmp_path):
    out = tmp_path / f"kernels.{form}"
    arguments = ["--op", "a2u bicubic", "--channels", "16", "--size", "48", "--points", "20,20;8,9", "--out", str(out)]
    assert main(["kernels", *arguments]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert out.stat().st_size > 5000


@pytest.mark.parametrize(
    ("asked", "said"), [((), "image: 1–3 on edges, 4 in a flat place"), (("--points", "20,20"), "image")]
)
def test_the_picture_says_that_weights_are_untrained_and_what_its_points_are(asked, said, tmp_path):
    out = tmp_path / "kernels.svg"
    assert main(["kernels", "--op", "dysample", "--size", "64", "--seed", "3", *asked, "--out", str(out)]) == 0
    words = " ".join(" ".join(re.findall(r"<!-- (.*?) -->", out.read_text(), re.DOTALL)).split())
    assert words.endswith(f" Untrained, seed 3. Kernels at the points numbered in the {said}")  # the title is last


def test_the_same_request_is_the_same_picture_and_numbers(capsys, tmp_path):
    told = []
    for name in ("a.png", "b.png"):
        out = str(tmp_path / name)
        assert main(["kernels", "--op", "dysample", "--size", "48", "--points", "20,20", "--json", "--out", out]) == 0
        told.append(json.loads(capsys.readouterr().out))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert told[0]["operators"] == told[1]["operators"]
    (one,) = told[0]["operators"]
    (kernel,) = one["kernels"]
    known = [value for row in kernel["w"] for value in row if value is not None]
    assert len(known) == 4  # a sampled point has four corners; what is not read is null
    assert sum(known) == pytest.approx(1, abs=1e-6)
    assert one["entropy"]["most"] == 2


WRONG = {
    "an unknown operator": (["--op", "a3u"], ["a3u", "a2u"]),
    "too many": (["--op", "nearest bilinear bicubic a2u carafe sapa"], ["1 to 5"]),
    "weights for two": (["--op", "a2u carafe", "--weights", "x"], ["just one"]),
    "weights that are not there": (["--weights", "none.pth"], ["none.pth", "No such file"]),
    "an unknown ending": (["--out", "x.gif"], ["x.gif", ".png"]),
    "no picture": (["--image", "none.png"], ["none.png", "no such file"]),
    "a point outside": (["--points", "500,2"], ["500,2", "0,0 to 207,159"]),
    "a point that is none": (["--points", "1;2"], ["1;2", "X,Y"]),
    "a group that is not there": (["--op", "carafe", "--group", "1"], ["--group 1", "0 to 0"]),
    "a scale of 0": (["--scale", "0"], ["--scale", "'0'"]),
    "a scale it does not have": (["--op", "fade", "--scale", "3"], ["scale 3"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage_is_one_line_and_writes_nothing(name, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments, says = WRONG[name]
    assert main(["kernels", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    for word in says:
        assert word in err
    assert list(tmp_path.iterdir()) == []


def test_a_kernel_wider_than_the_picture_of_it_is_cut_in_the_middle():
    from a2u_bench.export.plots.kernels.picture import _kernel

    with page.style():
        axes = page.sheet(40).subplots()
        _kernel(axes, np.arange(225.0).reshape(15, 15), 6)
        assert axes.images[0].get_array().shape == (13, 13)  # type: ignore[union-attr]


def test_maps_of_entropy_are_on_one_scale_that_a_bar_explains():
    picture, _ = read_image(BUNDLED, 48)
    looked = [look_at(picture, text, scale=2, channels=16, seed=0) for text in ("a2u", "carafe", "nearest")]
    with page.style():
        figure = draw(looked[0][1], [look for look, _ in looked], [(20, 20)], ("what it shows", "its key"))
    first, second, third = (axes.images[0] for axes in figure.axes[1:4])
    assert first.get_clim() == second.get_clim() != third.get_clim()
    least, most = (end([look.map() for look, _ in looked[:2]]) for end in (np.min, np.max))
    assert first.get_clim() == (least, most)
    assert [axes.get_ylabel() for axes in figure.axes].count("entropy [bits]") == 1


def test_kernels_of_one_tap_alone_have_no_bar():
    picture, _ = read_image(BUNDLED, 48)
    look, used = look_at(picture, "nearest", scale=2, channels=16, seed=0)
    with page.style():
        figure = draw(used, [look], [(20, 20)], ("", ""))
    assert "entropy [bits]" not in [axes.get_ylabel() for axes in figure.axes]
