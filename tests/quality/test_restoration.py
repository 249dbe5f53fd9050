"""Restoration: what its data, its scores and its references are, and the command from words to a table or a line."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from a2u_bench import operators
from a2u_bench.cli import main
from a2u_bench.machine import record
from a2u_bench.quality import feature_maps, pairs, photographs, restoration, restoration_fold, task
from a2u_bench.quality.presets import RESTORATION
from a2u_bench.quality.restoration_fold import CEILINGS, Fold, inner
from a2u_bench.quality.restoration_scores import Baseline, edges, score, squares
from a2u_bench.quality.train import Training
from a2u_bench.quality.trial import jobs
from a2u_bench.store.read import read_run

TINY = ("--task", "restoration", "--epochs", "1", "--images", "8", "--test-images", "6", "--threads", "1")


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch):
    monkeypatch.setattr(record, "record", lambda **_: {})
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)


@pytest.fixture
def folder(tmp_path):
    """Four pictures of bright discs over a dark ramp, 96 pixels wide, 88 high."""
    place = tmp_path / "discs"
    place.mkdir()
    y, x = np.mgrid[:88, :96]
    for number in range(4):
        disc = (y - 30 - 8 * number) ** 2 + (x - 48) ** 2 < 22**2
        image = np.stack([np.where(disc, 200 + 10 * number, x), np.where(disc, 40, y), np.where(disc, 40, 90)], -1)
        Image.fromarray(image.astype(np.uint8)).save(place / f"{number}.png")
    return place


def fold_of(folder, features: str = "seg", guide: str = "mix") -> Fold:
    preset = RESTORATION["quick"].changed(train_images=8, test_images=6)
    data = restoration.load(str(folder), preset)
    job = next(
        jobs(
            *(pairs.read("nearest", restoration.WAYS), preset, [1]),
            data=data.name,
            images=8,
            test_images=6,
            cells=[(features, guide)],
            folds=2,
        )
    )
    return data.part(job.trial)


def quality(*arguments):
    return main(["quality", *map(str, arguments)])


def test_every_photograph_is_tested_once_and_never_by_what_was_trained_on_it():
    held = photographs.Photographs("some", {name: np.zeros((3, 4, 4), np.float32) for name in "abcdefg"}, {})
    parts = [held.fold(number, 3) for number in range(3)]
    assert sorted(name for _, test in parts for name in test) == list("abcdefg")
    assert all(set(train).isdisjoint(test) and len(train) + len(test) == 7 for train, test in parts)


def test_a_photograph_is_halved_by_means_of_four_pixels(folder):
    picture = photographs.load(str(folder), 36).pictures["2.png"]
    whole = np.asarray(Image.open(folder / "2.png"), dtype=np.float64) / 255
    assert picture.shape == (3, 44, 48)
    assert_close(float(picture[0, 5, 7]), whole[10:12, 14:16, 0].mean(), rtol=1e-6, atol=1e-6)


def test_both_sets_are_in_the_installed_packages_and_have_nothing_in_common():
    first, second = (photographs.load(name, 36) for name in (photographs.PHOTOGRAPHS, photographs.OTHERS))
    assert len(first.pictures) == 12
    assert len(second.pictures) == 6
    assert set(first.sha256.values()).isdisjoint(second.sha256.values())


@pytest.mark.parametrize("features", feature_maps.FEATURES)
@pytest.mark.parametrize("guide", feature_maps.GUIDES)
def test_maps_have_unit_size_on_the_photographs_trained_on_and_do_not_look_at_the_others(folder, features, guide):
    pictures = list(photographs.load(str(folder), 36).pictures.values())
    made = feature_maps.make(pictures, 3, features, guide, 0)
    for maps in (made.features, made.guide):
        trained = torch.cat([x.flatten(1) for x in maps[:3]], 1)
        assert_close(trained.mean(1), torch.zeros(16), rtol=0, atol=1e-4)
        assert_close(trained.square().mean(), torch.tensor(1.0), rtol=1e-3, atol=0)
        assert [tuple(x.shape) for x in maps] == [(16, 44, 48)] * 4
    other = feature_maps.make([*pictures[:3], 1 - pictures[3]], 3, features, guide, 0)
    for maps, others in ((made.features, other.features), (made.guide, other.guide)):
        assert all(torch.equal(x, y) for x, y in zip(maps[:3], others[:3], strict=True))
    again = feature_maps.make(pictures, 3, features, guide, 1)
    assert not torch.equal(made.guide[0], again.guide[0])


def test_a_mixed_guide_tells_the_features_linearly_and_a_shallow_one_does_not(folder):
    pictures = list(photographs.load(str(folder), 36).pictures.values())
    unexplained = {}
    for guide in feature_maps.GUIDES:
        made = feature_maps.make(pictures, 4, "seg", guide, 0)
        f, g = (torch.cat([x.flatten(1) for x in maps], 1).T.double() for maps in (made.features, made.guide))
        unexplained[guide] = float((f - g @ torch.linalg.lstsq(g, f, driver="gelsd").solution).square().mean())
    assert unexplained["mix"] < unexplained["nl"] < unexplained["shallow"]


def test_z_is_the_mean_of_what_is_to_be_restored_and_crops_lie_at_even_places(folder):
    part = fold_of(folder)
    assert part.train.target.shape == (8, 16, 36, 36)
    assert_close(part.test.z[2, 3, 4, 5], part.test.target[2, 3, 8:10, 10:12].mean())
    assert set(part.train.names) == {"0.png", "2.png"}
    assert set(part.test.names) == {"1.png", "3.png"}


def test_bilinear_is_zero_and_the_ceiling_one_and_the_target_more_than_that(folder):
    part = fold_of(folder)
    mine = next(pair for pair in pairs.read("nearest", restoration.WAYS) if pair.name == "bilinear")
    cpu = torch.device("cpu")
    found = part.scores(part.network(mine), cpu)
    assert abs(found["gain"]) < 1e-5
    assert abs(found["share"]) < 1e-6
    assert found["section"] == "reference"
    best = part.scores(restoration_fold.Ceiling("simplex"), cpu)
    assert_close(best["share"], 1.0)
    assert best["gap"] < 0.01
    box = part.scores(restoration_fold.Ceiling("sigmoid-softmax"), cpu)
    assert 0 < box["share"] < 1
    exact = score(inner(part.test.target), part.baseline)
    assert exact["share"] >= 1
    assert exact["mse"] == 0


@pytest.mark.parametrize("name", ["a2u:rank=1", "ablated:A2U:order=sum", "references:Constant:gate=sigmoid-softmax"])
def test_no_kernel_of_a_softmax_of_sigmoids_beats_its_ceiling_at_any_point(folder, name):
    part = fold_of(folder)
    torch.manual_seed(0)
    text = operators.operator(name).text
    network = part.network(next(pair for pair in pairs.read(name, restoration.WAYS) if pair.name == text))
    Training(network, part.examples(torch.device("cpu")), RESTORATION["quick"].changed(2, 8), 0).run()
    with torch.no_grad():
        output = network(part.test.z, part.test.guide)
    best, gap = restoration_fold.Ceiling("sigmoid-softmax").best(part.test.z, part.test.target)
    border = (slice(None), slice(2, -2), slice(2, -2))  # beyond it A2U reads zeros
    difference = 16 * (squares(output, part.test.target) - squares(best, part.test.target)) + gap
    assert difference[border].min() > -1e-4  # the operator computes in float32


def test_a_share_is_withheld_where_the_ceiling_is_not_certain_or_there_is_no_way_to_it():
    target = torch.zeros(1, 2, 4, 4)
    bilinear, ceiling = target + 1, target + 0.5
    half = Baseline.of(target, bilinear, ceiling, torch.full((1, 4, 4), 0.001), ["a"])
    assert score(target + 0.75**0.5, half)["share"] == pytest.approx(1 / 3)
    unsure = Baseline.of(target, bilinear, ceiling, torch.full((1, 4, 4), 0.1), ["a"])
    assert "share" not in score(target + 0.5, unsure)
    flat = Baseline.of(target, bilinear, bilinear - 0.001, torch.zeros(1, 4, 4), ["a"])
    assert "share" not in score(target + 0.5, flat)


def test_gains_are_of_photographs_and_their_mean_counts_each_once():
    target = torch.zeros(3, 2, 4, 4)
    baseline = Baseline.of(target, target + 1, target, torch.zeros(3, 4, 4), ["a", "a", "b"])
    output = target.clone()
    output[:2], output[2] = 0.1, 10.0
    found = score(output, baseline)
    assert found["photographs"] == pytest.approx({"a": 20.0, "b": -20.0})
    assert found["gain"] == pytest.approx(0, abs=1e-5)


def test_edges_are_points_that_differ_from_a_neighbour_and_a_fifth_at_most():
    target = torch.zeros(1, 1, 10, 10)
    target[..., 5:] = 1
    found = edges(target)[0]
    assert found[:, 4:6].all()
    assert found.sum() == 20
    assert not edges(torch.zeros(1, 1, 4, 4)).any()


def test_a_gate_that_adds_the_guide_is_left_out(folder):
    part = fold_of(folder)
    network: Any = part.network(pairs.read("fade_lite", restoration.WAYS)[-1])
    output = network(part.test.z, part.test.guide)
    op = operators.module("fade_lite", 16)
    op.load_state_dict(network.operator.state_dict())
    z, guide = part.test.z, part.test.guide
    alone = op._read(op.weights(z, guide), z, guide)
    assert_close(output, alone, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(output, op(z, guide), atol=1e-2)


def test_the_rate_rises_for_a_tenth_of_the_steps_and_then_falls_along_a_cosine(folder):
    part, rates = fold_of(folder), []
    network = part.network(pairs.read("convex", restoration.WAYS)[-1])
    training = Training(network, part.examples(torch.device("cpu")), RESTORATION["quick"].changed(10, 8), 0)
    training.run(watch=lambda step: rates.append(training.optimiser.param_groups[0]["lr"]))
    rising, falling = [0.005, 0.01], [0.01 * (1 + math.cos(math.pi * n / 18)) / 2 for n in range(18)]
    assert rates == pytest.approx(rising + falling)


def test_operators_restore_beside_their_references_and_every_command_shows_it(tmp_path, folder, capsys):
    out = tmp_path / "run"
    words = ("--data", folder, "--pairs", "convex,a2u,pixel_shuffle", "--folds", "2", "--guide", "mix,shallow")
    assert quality(*TINY, *words, "--out", out) == 0
    printed = capsys.readouterr().out
    for said in ("features seg, guide mix, 2 folds", "guide shallow", "gain over bilinear", "paired over folds"):
        assert said in printed
    found = read_run(out).rows
    assert {row["status"] for row in found} == {"ok"}
    assert len(found) == 2 * 2 * (9 + 3)
    sections = {row["pair"]: row["section"] for row in found}
    assert sections["a2u"] == "convex, with guide"
    assert sections["convex"] == "convex"
    assert sections["pixel_shuffle"] == "mixes channels"
    assert [name for name, section in sections.items() if section == "ceiling"] == list(CEILINGS)
    assert {row["task"] for row in found} == {"restoration"}
    curves = [json.loads(line) for line in (out / "curves.jsonl").read_text().splitlines()]
    assert len(curves) == len(found)
    assert {tuple(curve["photographs"]) for curve in curves} == {("0.png", "2.png"), ("1.png", "3.png")}
    assert main(["compare", str(out)]) == 0
    assert capsys.readouterr().out == printed
    assert main(["export", str(out), "--format", "latex"]) == 0
    assert "\npixel shuffle & " in capsys.readouterr().out


def test_a_training_that_diverges_is_a_failed_row_that_says_where(tmp_path, folder, monkeypatch):
    loss = restoration_fold.Restored.loss

    def poisoned(self, network, picked, random):
        found, square = loss(self, network, picked, random)
        return found * math.nan, square

    monkeypatch.setattr(restoration_fold.Restored, "loss", poisoned)
    words = ("--data", folder, "--pairs", "pixel_shuffle", "--folds", "2", "--seeds", "1")
    assert quality(*TINY, *words, "--out", tmp_path / "run", "--strict") == 5
    row = read_run(tmp_path / "run").rows[-1]
    assert (row["status"], row["gain"]) == ("failed", None)
    assert row["reason"] == "the loss is nan in epoch 1, step 1 of 2"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("--task", "restoration", "--data", "{folder}/none"),
            "none: no such folder; allowed: a folder of photographs",
        ),
        (("--task", "restoration", "--data", "animals"), "no such data; allowed: photographs, other-photographs, or"),
        (("--task", "restoration", "--data", "{one}"), "1 photographs in it; allowed: 2 to 200"),
        (("--task", "restoration", "--data", "{small}"), "is 60×60 pixels; allowed: sides of 72 to 4096"),
        (("--task", "restoration", "--data", "{broken}"), "cannot be read as a photograph"),
        (("--task", "restoration", "--folds", "13"), "--folds 13: out of range; allowed: 2 to 12"),
        (("--task", "restoration", "--features", "sag"), "Did you mean 'seg'?"),
        (("--task", "restoration", "--guide", "mixed"), "Did you mean 'mix'?"),
        (("--task", "restoration", "--pairs", "twin/a2u"), "allowed: an operator alone, a2u"),
        (("--task", "restoration", "--preset", "short"), "Allowed: full, quick"),
        (("--task", "restoration", "--test-images", "2"), "fewer crops than photographs; allowed: 8 and 4 or more"),
        (("--guide", "mix"), "--guide is of --task restoration; this is reconstruction"),
        (("--task", "matting", "--folds", "3"), "--folds is of --task restoration; this is matting"),
    ],
)
def test_what_cannot_be_is_one_line_and_wrong_usage(words, says, tmp_path, folder, capsys):
    places = {"folder": tmp_path}
    for name, sides in (("one", [96]), ("small", [60, 60]), ("broken", [96, 96])):
        places[name] = tmp_path / name
        places[name].mkdir()
        for number, side in enumerate(sides):
            Image.new("RGB", (side, side)).save(places[name] / f"{number}.png")
    (places["broken"] / "1.png").write_bytes(b"no picture")
    given = [word.format(**places) for word in words]
    assert quality(*given, "--out", tmp_path / "run") == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_ids_of_other_tasks_are_those_of_stored_runs():
    stored = read_run(Path(__file__).parents[2] / "results" / "quality-fashion-short").rows[0]
    asked = task.task("reconstruction")
    pair = pairs.read(stored["pair"], asked.ways)
    preset = asked.presets["short"]
    sizes = {name: stored[name] for name in ("data", "images", "test_images", "device", "threads")}
    assert next(jobs(pair, preset, [stored["seed"]], **sizes)).trial.id == stored["case"]
