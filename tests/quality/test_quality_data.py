"""Where the images come from, and that what was asked for is what is trained on."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from idx_files import idx_bytes, write_images

from a2u_bench.errors import BenchError, UsageError
from a2u_bench.quality import fashion, natural
from a2u_bench.quality.data import load


def test_natural_crops_of_test_photographs_are_never_trained_on():
    assert not set(natural.TRAIN) & set(natural.TEST)
    images = load("natural", 160, 90)
    assert images.train.shape == (160, 1, 32, 32)
    assert images.test.shape == (90, 1, 32, 32)
    assert images.train.dtype == torch.float32
    assert 0 <= images.train.min() < images.train.max() <= 1
    trained = {crop.numpy().tobytes() for crop in images.train}
    assert not trained & {crop.numpy().tobytes() for crop in images.test}


def test_every_natural_crop_is_a_window_of_its_photograph_and_of_the_seed():
    names = natural.TEST[:2]
    crops = natural.crops(names, 5, 32, 0)
    assert np.array_equal(crops, natural.crops(names, 5, 32, 0))
    assert not np.array_equal(crops, natural.crops(names, 5, 32, 1))
    for name, part in zip(names, (crops[:3], crops[3:]), strict=True):
        windows = np.lib.stride_tricks.sliding_window_view(natural.photograph(name), (32, 32))
        for crop in part:
            assert (windows[:, :, 0, 0] == crop[0, 0]).any()
            assert (windows == crop).all((2, 3)).any()


def test_every_photograph_is_inside_the_installed_package():
    for name in (*natural.TRAIN, *natural.TEST):
        assert min(natural.photograph(name).shape) >= 32
    with pytest.raises(BenchError, match=r"no nothing\.png inside its package"):
        natural.photograph("nothing.png")


def test_a_folder_is_read_resized_and_named_by_its_content(tmp_path):
    folder = write_images(tmp_path / "waves")
    images = load(str(folder))
    assert images.train.shape == (8, 1, 32, 32)
    assert images.test.shape == (4, 1, 32, 32)
    assert images.name.startswith("waves-")
    other = load(str(write_images(tmp_path / "other" / "waves", seed=1)))
    assert images.name != other.name


def test_fewer_images_are_the_same_choice_each_time(tmp_path):
    folder = str(write_images(tmp_path / "waves", train=20))
    everything, some = load(folder).train, load(folder, 5).train
    assert torch.equal(some, load(folder, 5).train)
    assert len(some) == 5
    assert all(any(torch.equal(one, other) for other in everything) for one in some)


def test_images_of_32_pixels_stay_as_they_are(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (2, 32, 32), np.uint8)
    for name in fashion.FILES.values():
        (tmp_path / name).write_bytes(idx_bytes(values))
    torch.testing.assert_close(load(str(tmp_path)).train[:, 0], torch.from_numpy(values) / 255)


@pytest.mark.parametrize("text", ["fashon-mnist", "/nowhere/at/all", ""])
def test_data_that_is_not_there_is_wrong_usage(text):
    with pytest.raises(UsageError, match="allowed: natural, fashion-mnist, or a folder of IDX files"):
        load(text)


def test_a_folder_without_a_file_says_which(tmp_path):
    (write_images(tmp_path) / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(UsageError, match=r"t10k-images-idx3-ubyte\.gz: no such file"):
        load(str(tmp_path))


def test_images_of_two_sizes_or_out_of_bounds_are_refused(tmp_path):
    folder = write_images(tmp_path)
    (folder / fashion.FILES["test"]).write_bytes(idx_bytes(np.zeros((1, 28, 30), np.uint8)))
    with pytest.raises(UsageError, match="training images are 28×28, test images 28×30"):
        load(str(folder))
    with pytest.raises(UsageError, match="images are 2×2; allowed: sides from 4 to 256"):
        load(str(write_images(tmp_path / "tiny", side=2)))


@pytest.fixture
def published(tmp_path, monkeypatch) -> Path:
    """A folder whose two files are, for this test, the published Fashion-MNIST."""
    folder = write_images(tmp_path / "published")
    contents = {
        "train": gzip.decompress((folder / f"{fashion.FILES['train']}.gz").read_bytes()),
        "test": (folder / fashion.FILES["test"]).read_bytes(),
    }
    (folder / f"{fashion.FILES['test']}.gz").write_bytes(gzip.compress(contents["test"]))
    sums = {part: hashlib.sha256(content).hexdigest() for part, content in contents.items()}
    monkeypatch.setattr(fashion, "PUBLISHED", sums)
    return folder


def test_the_published_files_are_known_wherever_they_lie(published):
    assert fashion.read_folder(published).name == fashion.NAME


def test_one_file_that_differs_from_the_published_one_has_a_wrong_checksum(published):
    path = published / fashion.FILES["test"]
    path.write_bytes(path.read_bytes()[:-1] + b"\x07")
    with pytest.raises(BenchError, match=r"t10k-images-idx3-ubyte: wrong checksum \w{12}…"):
        fashion.read_folder(published)


def test_fashion_mnist_by_name_takes_no_other_files(published, tmp_path):
    other = write_images(tmp_path / "other", seed=3)
    with pytest.raises(BenchError, match="wrong checksum: not the published Fashion-MNIST"):
        fashion.read_published(other)


def test_a_download_happens_once_and_is_checked(published, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    monkeypatch.setattr(fashion, "SOURCES", (f"file://{tmp_path}/nothing/", f"file://{published}/"))
    read = fashion.read_published(tmp_path / "not-installed", cache)
    assert read.name == fashion.NAME
    assert sorted(path.name for path in cache.iterdir()) == sorted(f"{name}.gz" for name in fashion.FILES.values())
    monkeypatch.setattr(fashion, "SOURCES", ())
    assert np.array_equal(fashion.read_published(tmp_path / "not-installed", cache).train, read.train)


def test_a_download_with_a_wrong_checksum_leaves_nothing(published, tmp_path, monkeypatch):
    other, cache = write_images(tmp_path / "other", seed=3), tmp_path / "cache"
    monkeypatch.setattr(fashion, "SOURCES", (f"file://{other}/",))
    with pytest.raises(BenchError, match="wrong checksum"):
        fashion.read_published(tmp_path / "not-installed", cache)
    assert list(cache.iterdir()) == []


def test_without_files_or_a_network_the_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(fashion, "SOURCES", (f"file://{tmp_path}/nothing/",))
    with pytest.raises(BenchError, match="apt-get install dataset-fashion-mnist, name a folder with --data DIR"):
        fashion.read_published(tmp_path / "not-installed", tmp_path / "cache")


@pytest.mark.skipif(not fashion.INSTALLED.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_debians_fashion_mnist_is_the_published_one():
    images = load("fashion-mnist", 10, 10)
    assert images.sha256 == fashion.PUBLISHED
    assert images.train.shape == (10, 1, 32, 32)
