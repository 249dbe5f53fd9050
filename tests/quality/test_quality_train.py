"""A training that is killed goes on to the same curve; one that diverges stops; what is saved is whole."""

from __future__ import annotations

import math
import random

import pytest
import torch
from torch import nn

from a2u_bench.errors import BenchError
from a2u_bench.quality import checkpoints, pairs
from a2u_bench.quality.network import Reconstruction
from a2u_bench.quality.presets import Preset
from a2u_bench.quality.reconstruction import DEVIATION, MEAN, Copies, normalise, reconstruct
from a2u_bench.quality.train import Diverged, Training, psnr

ADAM = Preset("tiny", 3, None, None, "adam", 2e-3, (), batch=3)
SGD = Preset("tiny", 4, None, None, "sgd", 0.01, (0.5, 0.75), batch=3)
IMAGES = torch.rand(8, 1, 8, 8, generator=torch.Generator().manual_seed(1))


class Killed(Exception):
    """What happens to a process that is killed."""


class Noisy(nn.Module):
    """A network that draws random numbers, as a stranger's operator may."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Conv2d(4, 1, 1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x)


def begin(preset: Preset, pair: str = "") -> Training:
    torch.manual_seed(7)
    network = Reconstruction(pairs.read(pair)[0]) if pair else Noisy()
    return Training(network, Copies(IMAGES), preset, 7, "trial")


def images(training: Training) -> torch.Tensor:
    assert isinstance(training.examples, Copies)
    return training.examples.images


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(("preset", "pair"), [(ADAM, ""), (SGD, ""), (ADAM, "twin/a2u"), (SGD, "twin/max_unpool")])
@pytest.mark.parametrize("killed_in", [1.5, 2.2])
def test_a_killed_training_goes_on_to_the_same_curve_bit_for_bit(tmp_path, preset, pair, killed_in):
    whole = begin(preset, pair)
    whole.run()
    path = tmp_path / "checkpoint.pt"

    def kill(step):
        if step.epochs > killed_in:
            raise Killed

    with pytest.raises(Killed):
        begin(preset, pair).run(path, kill)
    torch.manual_seed(random.randrange(2**31))
    resumed = begin(preset, pair)
    torch.rand(random.randrange(100))
    seen: list[float] = []
    curve = resumed.run(path, lambda step: seen.append(step.epochs))
    assert min(seen) > int(killed_in)  # it did not begin again
    assert curve.loss == whole.curve.loss
    assert curve.psnr == whole.curve.psnr
    for mine, theirs in zip(resumed.network.state_dict().values(), whole.network.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs)


def test_another_seed_is_another_curve():
    first, second = begin(ADAM), begin(ADAM)
    second.order.manual_seed(8)
    assert first.run().loss != second.run().loss


def test_a_finished_training_is_not_trained_again(tmp_path):
    path = tmp_path / "checkpoint.pt"
    curve = begin(ADAM).run(path)
    seen: list[float] = []
    assert begin(ADAM).run(path, lambda step: seen.append(step.epochs)).loss == curve.loss
    assert seen == []


def test_the_learning_rate_falls_to_a_tenth_at_each_mark_and_along_a_cosine_to_zero():
    training, rates = begin(SGD), []
    training.run(watch=lambda step: rates.append(training.optimiser.param_groups[0]["lr"]))
    assert training.steps == 3
    # Three steps an epoch: epochs 1 and 2 at 0.01, epoch 3 at 0.001, epoch 4 at 0.0001.
    assert rates == pytest.approx([0.01] * 6 + [0.001] * 3 + [0.0001] * 3)
    training, rates = begin(ADAM), []
    training.run(watch=lambda step: rates.append(training.optimiser.param_groups[0]["lr"]))
    assert rates == pytest.approx([2e-3 * (1 + math.cos(math.pi * step / 9)) / 2 for step in range(9)], abs=1e-12)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_the_training_and_says_where(value):
    training = begin(ADAM)

    def poison(step):
        if step.epochs > 1:
            images(training)[:] = value

    with pytest.raises(Diverged, match=r"the loss is (nan|inf) in epoch 2, step 2 of 3"):
        training.run(watch=poison)


def test_a_loss_that_is_looked_at_later_is_still_told_by_its_step():
    training, seen = begin(ADAM), []
    training.look = 2
    training.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    training.network.register_forward_hook(lambda _, inputs, output: output * math.nan if len(seen) == 4 else output)
    steps: list[float] = []
    with pytest.raises(Diverged, match=r"the loss is nan in epoch 2, step 1 of 3"):
        training.run(watch=lambda step: steps.append(step.epochs))
    assert steps == pytest.approx([2 / 3, 1])
    assert len(seen) == 5


def test_every_image_is_seen_once_an_epoch():
    training = begin(ADAM)
    images(training)[:, 0, 0, 0] = torch.arange(8.0)
    seen: list[float] = []
    training.network.register_forward_pre_hook(lambda _, inputs: seen.extend(inputs[0][:, 0, 0, 0].tolist()))
    training.run()
    assert all(sorted(seen[start : start + 8]) == list(range(8)) for start in (0, 8, 16))
    assert seen[:8] != seen[8:16]


def test_images_are_compared_in_zero_to_one():
    identity = nn.Identity()
    torch.testing.assert_close(reconstruct(identity, IMAGES, 3), IMAGES)
    assert normalise(torch.tensor(MEAN)) == 0
    assert normalise(torch.tensor(MEAN + DEVIATION)).item() == pytest.approx(1)
    assert reconstruct(nn.ReLU(), torch.zeros(1, 1, 2, 2) - 1).min() == pytest.approx(MEAN)
    assert psnr(0.01) == pytest.approx(20)
    assert psnr(0) == 100


@pytest.mark.parametrize("content", [b"", b"torn", b"PK\x03\x04torn", None])
def test_a_checkpoint_that_cannot_be_read_is_as_none(tmp_path, content):
    path = tmp_path / "checkpoint.pt"
    begin(ADAM).run(path)
    path.write_bytes(path.read_bytes()[:-200] if content is None else content)
    assert checkpoints.load(path, "trial") is None
    assert begin(ADAM).run(path).loss == begin(ADAM).run().loss


def test_the_checkpoint_of_another_trial_is_not_taken(tmp_path):
    path = tmp_path / "checkpoint.pt"
    begin(ADAM).run(path)
    assert checkpoints.load(path, "trial") is not None
    assert checkpoints.load(path, "another") is None


def test_a_checkpoint_runs_no_code(tmp_path):
    path = tmp_path / "checkpoint.pt"
    torch.save({"trial": "trial", "network": Noisy()}, path)
    assert checkpoints.load(path, "trial") is None


def test_a_checkpoint_that_cannot_be_written_is_one_line_and_leaves_the_last_one(tmp_path):
    path = tmp_path / "checkpoint.pt"
    checkpoints.save(path, {"trial": "trial"})
    path.with_suffix(".tmp").mkdir()
    with pytest.raises((BenchError, PermissionError, IsADirectoryError)) as caught:
        checkpoints.save(path, {"trial": "other"})
    assert "\n" not in str(caught.value)
    assert checkpoints.load(path, "trial") == {"trial": "trial"}


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(BenchError, match=r"cannot write checkpoints to .*; --checkpoints DIR names another folder"):
            checkpoints.prepare(folder)
