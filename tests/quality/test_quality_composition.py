"""A folder laid out as Composition-1k: what is composed of it, and each way in which it can be damaged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from composition_files import write_composition
from PIL import Image

from a2u_bench.errors import BenchError, UsageError
from a2u_bench.quality import composition, matting
from a2u_bench.quality.composition import Composed, Composition
from a2u_bench.quality.mattes import UNKNOWN
from a2u_bench.quality.presets import Preset

SHORT = Preset("short", 1, 4, None, "adam", 1e-3, (), batch=2, side=32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_composition(tmp_path / "set")


def read(folder: Path, side: int = 16, test_images: int | None = None) -> Composition:
    return composition.read(folder, side, 8, test_images)


def draw(crops: Composed, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    inputs, alphas = crops.batch(torch.arange(count), torch.Generator().manual_seed(seed))
    return inputs.numpy(), alphas.numpy()


def test_foregrounds_and_backgrounds_are_held_and_enlarged_to_a_crop(folder):
    found = read(folder, side=40)
    # 40×24 becomes 67×40, 20×48 becomes 40×96, and 36×30 becomes 48×40.
    assert [image.shape for image in found.crops.fronts] == [(40, 67, 4), (96, 40, 4)]
    assert [image.shape for image in found.crops.backs] == [(40, 48, 3)] * 2
    assert found.name.startswith("set-")
    assert len(found.crops) == 8
    assert draw(found.crops, 3)[0].shape == (3, 4, 40, 40)


def test_a_crop_is_its_foreground_over_its_background(folder):
    crops = read(folder).crops
    red, blue = np.zeros((20, 30, 4), np.uint8), np.zeros((20, 30, 3), np.uint8)
    red[..., 0], blue[..., 2] = 255, 255
    red[:, 10:, 3] = 255
    red[:, 9, 3] = 51
    inputs, alphas = draw(replace(crops, fronts=[red], backs=[blue]), 12)
    np.testing.assert_allclose(inputs[:, 0], alphas[:, 0], atol=1e-6)
    np.testing.assert_allclose(inputs[:, 2], 1 - alphas[:, 0], atol=1e-6)
    assert not inputs[:, 1].any()
    assert set(np.unique(alphas)) == {np.float32(0), np.float32(0.2), np.float32(1)}
    known = inputs[:, 3] != UNKNOWN
    np.testing.assert_array_equal(inputs[:, 3][known], alphas[:, 0][known])
    # Every crop has the column that is neither, with something unknown on both sides of it.
    assert (inputs[:, 3] == UNKNOWN).any((1, 2)).all()
    mirrored = alphas[:, 0, 0, 0] > alphas[:, 0, 0, -1]
    assert 0 < mirrored.sum() < len(mirrored)


def test_the_same_draws_make_the_same_crops_and_others_make_others(folder):
    crops = read(folder).crops
    first, again, other = draw(crops, 4), draw(crops, 4), draw(crops, 4, seed=1)
    np.testing.assert_array_equal(first[0], again[0])
    assert (first[0] != other[0]).any()


def test_test_images_are_whole_with_their_trimap_s_three_words(folder):
    found = read(folder)
    images = list(found.tests)
    assert len(found.tests) == len(images) == 3
    for image, alpha in images:
        assert image.shape == (4, 18, 33)
        assert alpha.shape == (18, 33)
        assert set(image[3].unique().tolist()) == {0.0, UNKNOWN, 1.0}
        between = (alpha > 0) & (alpha < 1)
        np.testing.assert_array_equal(image[3].numpy() == UNKNOWN, between)
    assert len(read(folder, test_images=2).tests) == 2


def test_another_file_is_another_name_and_another_place_is_not(folder, tmp_path):
    before = read(folder)
    assert read(folder).sha256 == before.sha256
    moved = folder.rename(tmp_path / "elsewhere")
    assert read(moved).sha256 == before.sha256
    (moved / "Training_set/bg/two.png").unlink()
    assert read(moved).sha256 != before.sha256


def test_a_set_is_trained_on_and_scored_as_the_synthetic_one(folder):
    problem = matting.load(str(folder), SHORT)
    assert (problem.images, problem.test_images) == (4, 3)

    class Known(torch.nn.Module):
        def forward(self, image):
            return image[:, 3:]

    found = problem.scores(Known(), torch.device("cpu"))
    assert found["sad"] > 0
    inputs, alphas = problem.crops.batch(torch.tensor([0, 1]), torch.Generator().manual_seed(0))
    loss, _ = problem.examples(torch.device("cpu")).loss(
        Known(), torch.tensor([0, 1]), torch.Generator().manual_seed(0)
    )
    where = inputs[:, 3:] == UNKNOWN
    torch.testing.assert_close(loss, (UNKNOWN - alphas[where]).abs().mean())


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-60])


def resave(path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(path)


Damage = Callable[[Path], object]


def blank(width: int, height: int, kind: type = np.uint8) -> Damage:
    return lambda path: resave(path, np.zeros((height, width), kind))


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("Training_set/fg/cat.jpg", lambda p: p.unlink(), ""),  # its alpha alone is no harm
        ("Training_set/alpha/cat.png", lambda p: p.unlink(), "has no partner in .*alpha; expected one named cat.png"),
        ("Test_set/trimaps/dog_1.png", lambda p: p.unlink(), "no partner in .*trimaps; expected one named dog_1.png"),
        ("Test_set/alpha/dog.png", lambda p: p.unlink(), "has no partner in .*alpha; expected one named dog.png"),
        ("Training_set/bg/one.png", cut, "one.png: cannot be read as PNG or JPEG"),
        ("Training_set/fg/cat.jpg", cut, "cat.jpg: cannot be read as PNG or JPEG"),
        ("Training_set/bg/one.png", lambda p: p.write_bytes(b""), "one.png: cannot be read as PNG or JPEG"),
        ("Training_set/bg/one.png", lambda p: p.write_text("<svg/>"), "one.png: cannot be read as PNG or JPEG"),
        ("Training_set/alpha/fern.png", blank(48, 20), "48×20 pixels, but fern.jpg has 20×48"),
        ("Test_set/trimaps/owl_0.png", blank(18, 33), "18×33 pixels, but owl_0.png has 33×18"),
        ("Training_set/bg/two.png", blank(40, 8), "40×8 pixels; allowed: sides from 16"),
        ("Training_set/bg/two.png", blank(9000, 16), "9000×16 pixels; allowed: sides"),
        ("Training_set/alpha/cat.png", blank(40, 24, np.uint16), "more than 8 bits a channel"),
        ("Training_set/bg/two.png", lambda p: p.rename(p.with_name("three.txt")), ""),  # no image: not looked at
    ],
)  # fmt: skip
def test_damage_is_one_line_that_names_the_file(folder, name: str, damage: Damage, said: str):
    damage(folder / name)
    if not said:
        assert len(read(folder).crops) == 8
        return
    with pytest.raises(BenchError, match=said) as caught:
        read(folder)
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="--data "):
        matting.load(str(folder), replace(SHORT, side=16))


@pytest.mark.parametrize("name", ["Training_set/fg", "Training_set/bg", "Test_set/merged", "Test_set/alpha"])
def test_a_folder_that_is_missing_or_empty_is_named_with_the_layout(folder, name):
    for path in (folder / name).iterdir():
        path.unlink()
    with pytest.raises(BenchError, match=f"{name}: no image in it; allowed: files that end in .png"):
        read(folder)
    (folder / name).rmdir()
    with pytest.raises(BenchError, match=rf"{name}: no such folder; expected Training_set/\{{fg,alpha,bg\}}"):
        read(folder)


def test_backgrounds_may_be_called_as_coco_calls_them(folder):
    (folder / "Training_set/bg").rename(folder / "Training_set/train2014")
    assert len(read(folder).crops.backs) == 2


def test_a_link_out_of_the_folder_is_not_followed(folder, tmp_path):
    (tmp_path / "secret.png").write_bytes((folder / "Training_set/bg/one.png").read_bytes())
    (folder / "Training_set/bg/three.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(BenchError, match=r"three\.png: is a link out of "):
        read(folder)


def test_more_pixels_than_memory_holds_are_refused_before_any_is_read(folder, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 1 << 13}))
    monkeypatch.setattr(composition, "_pixels", lambda *given: pytest.fail("a pixel was read"))
    with pytest.raises(BenchError, match=r"its images take 0 MiB of memory; allowed here: 0 MiB"):
        read(folder)


def test_a_trimap_that_knows_everything_is_an_error_of_its_own(folder):
    resave(folder / "Test_set/trimaps/owl_0.png", np.zeros((18, 33), np.uint8))
    with pytest.raises(BenchError, match=r"owl_0\.png: leaves no pixel unknown"):
        list(read(folder).tests)
