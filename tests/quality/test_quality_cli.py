"""`a2u-bench quality` from the words a person types to the table, and each way in which it can go wrong."""

from __future__ import annotations

import json
import math

import pytest
import torch
from idx_files import write_images

from a2u_bench.cli import main
from a2u_bench.machine import record
from a2u_bench.quality import checkpoints
from a2u_bench.quality.train import Training
from a2u_bench.store.read import read_run

TINY = ("--epochs", "1", "--seeds", "2", "--threads", "1")


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch):
    monkeypatch.setattr(record, "record", lambda **_: {})  # it starts a process, which another test looks at
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)


@pytest.fixture
def images(tmp_path):
    return str(write_images(tmp_path / "waves"))


def quality(*arguments):
    return main(["quality", *map(str, arguments)])


OWN = """
import torch
from upsamplers import Facts, Paper, Upsampler


class Up(Upsampler):
    paper = Paper("You", "Your paper", "arXiv", 2026)
    facts = Facts("ours", "Ours", "distance-based", paper, kernel_size=1, groups="1", taps="1")

    def weights(self, z, guide=None):
        return torch.ones(1, 1, 1, self.scale, self.scale)
"""


def test_a_run_of_trainings_has_the_papers_of_own_operators(tmp_path, images, monkeypatch):
    (tmp_path / "lab_that_trains.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    out = tmp_path / "run"
    assert quality("--data", images, "--pairs", "conv/lab_that_trains:Up", *TINY, "--seeds", 1, "--out", out) == 0
    manifest = read_run(out).manifest
    assert manifest["own"] == {"lab_that_trains:Up": "ours"}
    assert manifest["papers"]["lab_that_trains:Up"]["title"] == "Your paper"


def test_pairs_are_trained_stored_and_shown(tmp_path, images, capsys):
    out = tmp_path / "run"
    assert quality("--data", images, "--pairs", "nearest,index_net", *TINY, "--out", out) == 0
    printed, said = capsys.readouterr()
    assert "conv/nearest, twin/index_net; to compare them alone, name one for all" in said
    assert printed.startswith("reconstruction, waves-")
    assert "8 images, 1 epoch, rate 0.002, 2 seeds, cpu, 1 thread" in printed
    assert "conv / nearest" in printed
    assert "PSNR: " in printed
    found = read_run(out)
    assert found.problems == ()
    assert [(row["pair"], row["options"], row["seed"]) for row in found.rows] == [
        ("conv/nearest", "nearest", 0),
        ("twin/index_net", "index_net", 0),
        ("conv/nearest", "nearest", 1),
        ("twin/index_net", "index_net", 1),
    ]
    for row in found.rows:
        assert row["status"] == "ok"
        for name in ("psnr", "ssim", "mae", "rmse", "edge_psnr", "edge_ssim", "edge_mae", "edge_rmse", "loss"):
            assert math.isfinite(row[name])
        assert row["train_time"] > 0
        assert (row["images"], row["test_images"], row["epochs"]) == (8, 4, 1)
    curves = [json.loads(line) for line in (out / "curves.jsonl").read_text().splitlines()]
    assert [curve["case"] for curve in curves] == [row["case"] for row in found.rows]
    assert not (out / "checkpoints").exists()

    assert main(["compare", str(out)]) == 0
    assert capsys.readouterr().out == printed
    assert main(["export", str(out), "--format", "csv"]) == 0
    assert "twin/index_net" in capsys.readouterr().out
    assert main(["compare", str(out), "--columns", "edge_mae,edge_ssim", "--sort", "-psnr"]) == 0
    assert "MAE, edges" in capsys.readouterr().out


def test_a_run_that_was_killed_goes_on_to_the_same_rows(tmp_path, images, monkeypatch, capsys):
    words = ("--data", images, "--pairs", "nearest,max_unpool", "--epochs", "3", "--seeds", "1", "--threads", "1")
    assert quality(*words, "--out", tmp_path / "whole") == 0
    save, saved = checkpoints.save, []

    def stop(path, state):
        save(path, state)
        saved.append(path)
        if len(saved) == 5:  # two epochs into the second pair
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "save", stop)
    out = tmp_path / "killed"
    assert quality(*words, "--out", out) == 130
    assert "1 row is kept" in capsys.readouterr().err
    monkeypatch.setattr(checkpoints, "save", save)
    assert quality(*words, "--out", out, "--resume") == 0

    def content(folder):
        rows = [{**row, "train_time": None, "core_time": None} for row in read_run(folder).rows]
        curves = [json.loads(line) for line in (folder / "curves.jsonl").read_text().splitlines()]
        return rows, [{**curve, "seconds": None} for curve in curves]

    assert content(out) == content(tmp_path / "whole")


def test_a_loss_that_is_no_number_fails_that_pair_and_no_other(tmp_path, images, monkeypatch, capsys):
    epoch = Training._epoch

    def poisoned(self, watch):
        if any("MaxUnpool" in type(module).__name__ for module in self.network.modules()):
            self.examples.images[:] = math.nan
        epoch(self, watch)

    monkeypatch.setattr(Training, "_epoch", poisoned)
    out = tmp_path / "run"
    words = ("--data", images, "--pairs", "max_unpool,nearest", "--seeds", "1", "--epochs", "1", "--out", out)
    assert quality(*words, "--strict") == 5
    failed, well = read_run(out).rows
    assert (failed["status"], failed["reason"]) == ("failed", "the loss is nan in epoch 1, step 1 of 1")
    assert failed["psnr"] is None
    assert well["status"] == "ok"
    assert "failed: twin / max unpooling – the loss is nan" in capsys.readouterr().out


def test_an_operator_that_cannot_be_or_that_raises_has_its_row(tmp_path, images):
    out = tmp_path / "run"
    words = ("--seeds", "1", "--epochs", "1", "--threads", "1", "--out", out)
    pairs = "carafe:groups=3,pool/hostile:Throws,conv/hostile:Nan,nearest"
    assert quality("--data", images, "--pairs", pairs, *words) == 0
    rows = read_run(out).rows
    assert [row["status"] for row in rows] == ["skipped", "failed", "failed", "ok"]
    assert "groups=3" in rows[0]["reason"]
    assert rows[1]["reason"] == "RuntimeError: two lines"
    assert "the loss is nan" in rows[2]["reason"]


def test_an_exit_code_of_1_says_that_not_one_training_ended_ok(tmp_path, images, capsys):
    words = ("--seeds", "1", "--epochs", "1", "--threads", "1", "--out", tmp_path / "run")
    assert quality("--data", images, "--pairs", "carafe:groups=3,pool/hostile:Throws", *words) == 1
    out, err = capsys.readouterr()
    assert err.splitlines()[-1] == ("error: not one training ended ok (1 skipped, 1 failed); the table says why")
    assert "failed: pool / throws – RuntimeError: two lines" in out
    assert [row["status"] for row in read_run(tmp_path / "run").rows] == ["skipped", "failed"]


def test_checkpoints_that_cannot_be_written_are_one_line_before_any_training(tmp_path, images, capsys):
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "below"
    assert quality("--data", images, *TINY, "--out", tmp_path / "run", "--checkpoints", folder) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith(f"error: cannot write checkpoints to {folder}: ")


def test_natural_images_need_nothing(tmp_path, capsys):
    words = ("--images", "8", "--test-images", "3", "--pairs", "nearest", *TINY, "--out", tmp_path / "run")
    assert quality(*words, "--json") == 0
    content = json.loads(capsys.readouterr().out)
    assert [row["data"] for row in content["rows"]] == ["natural", "natural"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--data", "nowhere"], "--data 'nowhere': no such data; allowed: natural, fashion-mnist, or a folder"),
        (["--data", "/nowhere/at/all"], "--data /nowhere/at/all: no such folder"),
        (["--pairs", "bilinaer"], "no operator 'bilinaer'; did you mean 'bilinear'?"),
        (["--pairs", "pol/nearest"], "unknown way down 'pol'. Did you mean 'pool'?"),
        (["--preset", "papper"], "unknown preset 'papper'. Did you mean 'paper'?"),
        (["--seeds", "0"], "--seeds 0: out of range; allowed: an integer >= 1"),
        (["--epochs", "-3"], "--epochs -3: out of range"),
        (["--images", "0"], "--images 0: out of range"),
        (["--threads", "0"], "--threads 0: out of range"),
        (["--learning-rate", "nan"], "--learning-rate nan: out of range"),
        (["--resume"], "--resume needs --out"),
        (["--device", "tpu"], "--device tpu"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(words, said, capsys):
    assert quality(*words) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert said in lines[0]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.unlink(), "no such file"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "truncated: its header says 4×28×28 values"),
        (lambda path: path.write_bytes(b"\0\0\x0b\x03" + path.read_bytes()[4:]), "wrong magic number 00 00 0b 03"),
    ],
)
def test_damaged_data_are_one_line_and_exit_code_2(tmp_path, images, damage, said, capsys):
    damage(tmp_path / "waves" / "t10k-images-idx3-ubyte")
    assert quality("--data", images, *TINY, "--out", tmp_path / "run") == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert said in lines[0]
    assert not (tmp_path / "run").exists()
