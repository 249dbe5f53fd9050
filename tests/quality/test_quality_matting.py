"""Matting as a task: its loss and scores are over what a trimap leaves unknown, and its runs behave as any other's."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from composition_files import write_composition
from example_rows import make_quality
from torch import Tensor, nn

from a2u_bench.cli import main
from a2u_bench.errors import UsageError
from a2u_bench.export.report.content import gather
from a2u_bench.machine import record
from a2u_bench.quality import checkpoints, matting, pairs, presets
from a2u_bench.quality.mattes import UNKNOWN, Mattes
from a2u_bench.quality.matting import SYMMETRIES, WAYS, Alphas, Held, Matting, predict, symmetry
from a2u_bench.quality.presets import Preset
from a2u_bench.quality.task import task
from a2u_bench.quality.train import Diverged, Training
from a2u_bench.store.read import read_run
from a2u_bench.tables.request import Request
from a2u_bench.tables.view import make

CPU = torch.device("cpu")
TINY = Preset("short", 1, 4, 2, "adam", 1e-3, (), batch=2, side=32)


class Constant(nn.Module):
    """An alpha that is the same everywhere."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))

    def forward(self, image: Tensor) -> Tensor:
        return self.value.expand(len(image), 1, *image.shape[2:])


class Killed(Exception):
    """What happens to a process that is killed."""


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(record, "record", lambda **_: {})
    monkeypatch.setattr("a2u_bench.quality.task.TASKS", {"matting": replace(task("matting"), presets={"short": TINY})})
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)


def some(count: int, side: int = 4) -> Mattes:
    """Alphas of a half; two pixels of each image are unknown."""
    inputs = torch.rand(count, 4, side, side, generator=torch.Generator().manual_seed(0))
    inputs[:, 3] = 1.0
    inputs[:, 3, 0, :2] = UNKNOWN
    return Mattes(inputs, torch.full((count, 1, side, side), 0.5))


def quality(out: Path, *words: object) -> int:
    return main(["quality", "--task", "matting", "--threads", "1", "--out", str(out), *map(str, words)])


def test_the_loss_is_that_of_unknown_pixels_alone():
    made = some(2)
    made.alphas[1, 0, 0, 0] = 1.0
    made.alphas[:, :, 2:] = 0.0  # known: of no account
    loss, square = Alphas(Held(made), CPU).loss(Constant(1.5), torch.tensor([0, 1]), torch.Generator())
    # Differences of 1, 1, ½ and 1; of alphas clamped to [0, 1], ½, ½, 0 and ½.
    assert loss.item() == pytest.approx(3.5 / 4)
    assert square.item() == pytest.approx(0.75 / 4)
    loss.backward()


def test_a_batch_that_leaves_nothing_unknown_has_no_loss():
    made = some(2)
    made.inputs[:, 3] = 0.0
    loss, square = Alphas(Held(made), CPU).loss(Constant(1.5), torch.tensor([0, 1]), torch.Generator())
    assert (loss.item(), square.item()) == (0, 0)


def test_the_eight_symmetries_of_a_square_differ_and_undo_themselves():
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    found = [symmetry(image, which) for which in range(SYMMETRIES)]
    assert len({tuple(one.flatten().tolist()) for one in found}) == SYMMETRIES
    torch.testing.assert_close(symmetry(found[4], 4), image)


def test_crops_and_their_alphas_are_turned_alike():
    made = some(6)
    made.inputs[:, 0] = made.alphas[:, 0] = torch.rand(6, 4, 4, generator=torch.Generator().manual_seed(1))
    crops, random = Held(made), torch.Generator().manual_seed(2)
    seen = set()
    for _ in range(20):
        inputs, alphas = crops.batch(torch.tensor([3, 5]), random)
        assert torch.equal(inputs[:, :1], alphas)
        seen.add(tuple(alphas.flatten().tolist()))
    assert len(seen) > 4


def test_a_last_batch_of_one_image_is_left_out():
    training = Training(Constant(0.0), Alphas(Held(some(5)), CPU), TINY, 0)
    steps: list[float] = []
    training.run(watch=lambda step: steps.append(step.epochs))
    assert steps == [0.5, 1.0]
    assert math.isfinite(training.curve.loss[0])


def test_a_killed_training_goes_on_to_the_same_curve_turns_and_all(tmp_path):
    preset, path = replace(TINY, epochs=3), tmp_path / "checkpoint.pt"
    made = some(6, 8)
    made.alphas[:] = torch.rand(made.alphas.shape, generator=torch.Generator().manual_seed(3))

    def begin() -> Training:
        torch.manual_seed(7)
        network = nn.Sequential(nn.Conv2d(4, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Conv2d(3, 1, 3, padding=1))
        return Training(network, Alphas(Held(made), CPU), preset, 7, "trial")

    def kill(step: object) -> None:
        if path.exists() and torch.load(path, weights_only=True)["curve"]["loss"][1:]:
            raise Killed

    whole = begin().run()
    with pytest.raises(Killed):
        begin().run(path, kill)
    torch.manual_seed(1)
    assert begin().run(path).loss == whole.loss


def test_the_trimap_s_word_is_taken_where_it_knows_and_sides_are_made_multiples_of_16():
    image = torch.rand(4, 20, 33)
    image[3] = 1.0
    image[3, 5:9, 30:] = UNKNOWN
    shapes = []

    class Twice(nn.Module):
        def forward(self, given: Tensor) -> Tensor:
            shapes.append(tuple(given.shape))
            return given[:, :1] * 2

    module = Twice()
    alpha = predict(module, image, CPU)
    assert shapes == [(1, 4, 32, 48)]
    expected = torch.ones(20, 33)
    expected[5:9, 30:] = (image[0, 5:9, 30:] * 2).clamp(max=1)
    torch.testing.assert_close(alpha, expected)
    assert not module.training


def test_scores_are_of_the_whole_test_set():
    made = some(3, 16)
    tests = [(image, alpha[0].numpy()) for image, alpha in zip(made.inputs, made.alphas, strict=True)]
    found = Matting("own", Held(made), tests).scores(Constant(0.75), CPU)
    assert found["sad"] == pytest.approx(2 * 0.25 / 1000)
    assert found["mse"] == pytest.approx(0.0625)
    assert set(found) == {"sad", "mse", "grad", "conn"}
    with pytest.raises(Diverged, match="not finite"):
        Matting("own", Held(made), tests).scores(Constant(math.nan), CPU)


def test_core_is_eight_pairs_and_an_operator_alone_has_the_networks_usual_way_down():
    assert [pair.name for pair in pairs.read("core", WAYS)] == list(WAYS.core)
    assert len(WAYS.core) == 8
    found = [pair.name for pair in pairs.read("deconv,a2u,sapa,pixel_shuffle,max_unpool,conv/bicubic", WAYS)]
    assert found == [
        *("conv/deconv", "twin/a2u", "pool/sapa", "conv/pixel_shuffle", "twin/max_unpool", "conv/bicubic"),
    ]
    with pytest.raises(UsageError, match=r"unknown way down 's2d'.*Allowed: twin, pool, conv"):
        pairs.read("s2d/pixel_shuffle", WAYS)


def test_pairs_are_trained_stored_shown_and_killed_without_loss(tmp_path, monkeypatch, capsys):
    words = ("--pairs", "bilinear,conv/fade,hostile:Nan", "--seeds", 2, "--strict")
    save, saved = checkpoints.save, []

    def stop(path: Path, state: checkpoints.State) -> None:
        save(path, state)
        saved.append(path)
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "save", stop)
    out = tmp_path / "run"
    assert quality(out, *words) == 130
    monkeypatch.setattr(checkpoints, "save", save)
    capsys.readouterr()
    assert quality(out, *words, "--resume") == 5
    printed = capsys.readouterr()
    assert printed.out.startswith("matting, synthetic, short, 4 images, 1 epoch, rate 0.001, cpu, 1 thread")
    assert "SAD" in printed.out
    assert "PSNR" not in printed.out
    assert "1/6 conv/bilinear seed 0 SAD " in printed.err
    rows = read_run(out).rows
    assert [row["status"] for row in rows] == ["ok", "skipped", "failed"] * 2
    assert rows[1]["reason"] == "fade reads the feature before a halving: pool or twin, not conv"
    assert "the loss is nan" in rows[2]["reason"]
    for row in rows[::3]:
        assert (row["task"], row["data"], row["pair"], row["test_images"]) == (
            "matting",
            "synthetic",
            "conv/bilinear",
            2,
        )
        assert row["params"] == 8_049_003
        assert row["psnr"] is None
        for name in ("sad", "mse", "grad", "conn", "loss", "train_time"):
            assert row[name] > 0
    assert main(["compare", str(out)]) == 0
    assert capsys.readouterr().out == printed.out
    curves = [json.loads(line) for line in (out / "curves.jsonl").read_text().splitlines()]
    assert [len(curve["psnr"]) for curve in curves] == [1, 1]


def test_a_test_image_that_is_damaged_ends_the_run_and_once_mended_nothing_is_trained_again(
    tmp_path, monkeypatch, capsys
):
    folder, out = write_composition(tmp_path / "set"), tmp_path / "run"
    merged = folder / "Test_set" / "merged" / "dog_1.png"
    whole = merged.read_bytes()
    merged.write_bytes(whole[:-60] + bytes(60))  # of the same size, so the same data
    words = ("--data", folder, "--pairs", "nearest", "--seeds", 1, "--test-images", 3)
    assert quality(out, *words) == 1
    assert "dog_1.png: cannot be read as PNG or JPEG" in capsys.readouterr().err.splitlines()[-1]
    merged.write_bytes(whole)
    monkeypatch.setattr(Training, "_epoch", lambda *given: pytest.fail("trained again"))
    assert quality(out, *words, "--resume") == 0
    (row,) = read_run(out).rows
    assert (row["status"], row["images"], row["test_images"]) == ("ok", 4, 3)
    assert row["data"].startswith("set-")


def test_two_tasks_stand_in_two_tables_and_two_tabs_of_a_report(tmp_path, capsys):
    first = make_quality(tmp_path / "toy", {"conv/nearest": 21, "twin/a2u": 29})
    second = make_quality(tmp_path / "mattes", {"conv/nearest": 9, "twin/a2u": 3}, task="matting")
    order = "twin / A2U > conv / nearest"
    for command in (["compare"], ["export", "--format", "markdown"]):
        assert main([*command, str(first), str(second)]) == 0
        tables, _, comments = capsys.readouterr().out.replace("&gt;", ">").partition("<!--")
        toy, mattes = tables[: tables.index("matting, ")], tables[tables.index("matting, ") :]
        assert f"PSNR: {order}" in (comments or toy)
        assert f"SAD: {order}" in (comments or mattes)
        assert "PSNR" in toy
        assert "SAD" in mattes
        assert "SAD" not in toy
        assert "PSNR" not in mattes
    tables = gather(make([read_run(first), read_run(second)], Request(changes=False))).tables
    assert [[text for text, _ in table.headings][-2:] for table in tables] == [
        ["PSNR [dB]", "status"],
        ["SAD", "status"],
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--task", "mating"], "unknown task 'mating'. Did you mean 'matting'? Allowed: reconstruction, matting"),
        (["--data", "natural"], "--data 'natural': no such data; allowed: synthetic, or a folder laid out as"),
        (["--preset", "long"], "unknown preset 'long'"),
        (["--images", "1"], "--images 1: the matting network normalises over a batch; allowed: 2 or more"),
        (["--pairs", "twin/bilinear"], "'bilinear' has no downsampling twin; allowed before it: pool/, conv/"),
    ],
)
def test_wrong_usage_is_one_line(tmp_path, monkeypatch, words, said, capsys):
    if "--task" in words:
        monkeypatch.undo()
    assert quality(tmp_path / "run", *words) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert said in lines[0]


def test_crops_larger_than_the_photographs_are_refused():
    with pytest.raises(
        UsageError, match="has photographs of 300 pixels, smaller than crops of 512; take --preset short"
    ):
        matting.load("synthetic", replace(TINY, side=512))


def test_the_papers_preset_is_the_papers(monkeypatch):
    monkeypatch.undo()
    paper = presets.preset("paper", presets.MATTING)
    assert (paper.epochs, paper.batch, paper.side, paper.optimiser, paper.learning_rate) == (30, 16, 512, "adam", 0.01)
    assert [round(share * paper.epochs) for share in paper.drops] == [20, 26]
    assert (paper.train_images or 0) / paper.batch == 6_000


def test_images_are_the_same_whatever_the_seed_of_the_training():
    first, second = (matting.synthetic(4, 2, 32) for _ in range(2))
    assert (first.images, first.test_images) == (4, 2)
    for (image, alpha), (same, also) in zip(first.tests, second.tests, strict=True):
        assert torch.equal(image, same)
        assert np.array_equal(alpha, also)
