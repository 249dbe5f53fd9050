"""`run --network`: a person's own network as it is and with each operator in it, measured as a whole."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from a2u_bench import operators
from a2u_bench.cli import main
from a2u_bench.operators.networks.measured import MeasuredNetwork, upsampling
from upsamplers import swap

NETWORK = """
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional
from upsamplers.ops.nearest import Nearest

class Net(nn.Module):
    def __init__(self, width=8, outputs=1):
        super().__init__()
        self.first, self.last, self.outputs = nn.Conv2d(3, width, 3, 2, 1), nn.Conv2d(width, 2, 1), outputs

    def forward(self, x):
        up = self.last(functional.interpolate(self.first(x), scale_factor=2, mode="bilinear"))
        return up if self.outputs == 1 else {"a": up, "more": [up.mean(1), up.shape]}

@dataclass
class Answer:
    logits: torch.Tensor
    shape: tuple

class Answering(Net):
    def forward(self, x):
        if x.mean() > 10:
            return super().forward(x + 1)
        return Answer(super().forward(x), x.shape)

class Raising(Net):
    def forward(self, x):
        raise RuntimeError("first\\nsecond")

class Twice(Nearest):
    def forward(self, z, guide=None):
        return 2 * super().forward(z, guide)

def broken():
    raise ValueError("two\\nlines")

def number():
    return 3

def plain():
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.Upsample(scale_factor=2), nn.Conv2d(4, 2, 1))

def scripted():
    return torch.jit.script(plain())

def compiled():
    return torch.compile(plain())

def wide():
    return nn.Conv2d(4, 2, 1)

def none():
    return nn.Conv2d(3, 3, 1)
"""

LITTLE = ["--shape", "1x3x16x24", "--threads", "1", "--time-budget", "0", "--processes", "1", "--out", "run"]


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a network's file in it, which is where the person is."""
    (tmp_path / "measurednet.py").write_text(NETWORK)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def measured(*words: str) -> dict[str, dict[str, Any]]:
    """The rows of a run, by operator string."""
    assert main(["run", *words, *LITTLE]) == 0
    return {row["options"]: row for row in map(json.loads, Path("run/rows.jsonl").read_text().splitlines())}


def test_the_whole_network_runs_in_an_engine(there, capsys, monkeypatch):
    pytest.importorskip("onnxscript")
    pytest.importorskip("openvino")
    monkeypatch.setenv("XDG_CACHE_HOME", str(there / "cache"))
    rows = measured("--network", "measurednet.py:plain", "--ops", "bilinear carafe", "--runtime", "openvino")
    assert {name: row["status"] for name, row in rows.items()} == dict.fromkeys(
        ("original", "bilinear", "carafe"), "ok"
    )
    assert len(list((there / "cache" / "a2u-bench" / "onnx").iterdir())) == 3
    assert all(row["peak_memory"] is None and row["process_memory"] >= 0 for row in rows.values())
    assert "openvino" in capsys.readouterr().out


def test_the_network_as_it_is_stands_beside_each_operator(there, capsys):
    rows = measured("--network", "measurednet.py:Net:width=6", "--ops", "bilinear carafe fade")
    out = capsys.readouterr().out
    assert sorted(rows) == ["bilinear", "carafe", "fade", "original"]
    assert {name: row["status"] for name, row in rows.items()} == {
        **dict.fromkeys(("original", "bilinear", "carafe"), "ok"),
        "fade": "skipped",
    }
    assert "needs a guide" in rows["fade"]["reason"]
    assert {row["network"] for row in rows.values()} == {"measurednet.py:Net:width=6"}
    plain = 6 * 3 * 9 + 6 + 2 * 6 + 2
    made = swap(operators.own_network("measurednet.py:Net:width=6"), "carafe", torch.randn(1, 3, 16, 24))
    assert rows["original"]["params"] == rows["bilinear"]["params"] == plain
    assert rows["carafe"]["params"] == sum(p.numel() for p in made.parameters()) > plain
    assert rows["original"]["macs"] == rows["bilinear"]["macs"] < rows["carafe"]["macs"]
    assert 0 < rows["original"]["upsampling_macs"] < rows["carafe"]["upsampling_macs"] < 1
    assert all(0 < rows[name]["upsampling_latency"] < 1 for name in ("original", "bilinear", "carafe"))
    assert "in measurednet.py:Net:width=6, image 1×3×16×24, float32" in out


def test_sites_and_cascade_are_part_of_the_case(there):
    plain = measured("--network", "measurednet.py:Net", "--ops", "carafe", "--mode", "training")
    assert plain["carafe"]["status"] == plain["original"]["status"] == "ok"
    assert plain["carafe"]["saved_memory"] > 0
    Path("run").rename("before")
    named = measured("--network", "measurednet.py:Net", "--ops", "carafe", "--sites", ".#0", "--cascade")
    assert named["carafe"]["network"] == "measurednet.py:Net --cascade --sites .#0"
    assert named["carafe"]["case"] != plain["carafe"]["case"]


def test_all_is_every_operator_that_no_image_guides_at_its_defaults(there, capsys):
    assert main(["run", "--network", "measurednet.py:Net", "--ops", "all", "--dry-run", "--json", *LITTLE]) == 0
    out, told = capsys.readouterr()
    meant = [name for name in operators.names() if operators.facts(name).guide_size == "output"]
    ended = dict(re.findall(r"^\d+/\d+ (\w+) (\w+)", told, re.MULTILINE))
    assert sorted(ended) == sorted([*meant, "original"])
    assert json.loads(out)["cases"] == list(ended.values()).count("ok") > 5


def test_an_operator_that_is_wrong_in_the_network_is_not_timed(there):
    rows = measured("--network", "measurednet.py:Net", "--ops", "measurednet:Twice")
    assert rows["measurednet:Twice"]["status"] == "incorrect"
    assert "plain definition" in rows["measurednet:Twice"]["reason"]
    assert rows["original"]["status"] == "ok"


@pytest.mark.parametrize("network", ["Net:outputs=2", "Answering"])
def test_dicts_dataclasses_and_ways_that_depend_on_values_are_measured(network, there):
    rows = measured("--network", f"measurednet.py:{network}", "--ops", "carafe sapa")
    assert {name: row["status"] for name, row in rows.items()} == {"original": "ok", "carafe": "ok", "sapa": "skipped"}
    assert rows["sapa"]["reason"].startswith("no site of ")


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # of torch itself
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--network", "measurednet.py:broken"], "ValueError: two lines"),
        (
            ["--network", "measurednet.py:Raising"],
            "Raising raises on these inputs (1×3×16×24): RuntimeError: first sec",
        ),
        (["--network", "measurednet.py:number"], "it must return a torch.nn.Module; got int"),
        (["--network", "measurednet.py:scripted"], "is scripted, and what it calls cannot be seen"),
        (["--network", "measurednet.py:compiled"], "is compiled; give the network before torch.compile"),
        (["--network", "measurednet.py:wide"], "expected input"),
        (["--network", "measurednet.py:none"], "has no site"),
        (["--network", "measurednet.py:Nett"], "did you mean 'Net'"),
        (["--network", "measurednet.py:Net", "--sites", ".#1"], "did you mean '.#0'"),
        (["--network", "measurednet.py:Net", "--suite", "quick"], "leave one of them out"),
        (["--network", "measurednet.py:Net", "--scale", "4"], "leave --scale out"),
        (["--network", "measurednet.py:Net", "--ops", "carafee"], "did you mean 'carafe'"),
        (["--cascade"], "--cascade needs --network"),
        (["--sites", "a#0"], "--sites needs --network"),
    ],
)
def test_what_cannot_be_is_one_line(words, said, there, capsys):
    assert main(["run", *words, *LITTLE]) in (1, 2)
    error = capsys.readouterr().err.strip()
    assert said in error and error.startswith("error: ") and "\n" not in error
    assert not Path("run").exists()


def test_several_maps_are_one_vector_and_each_is_differentiated(there):
    network = operators.own_network("measurednet.py:Net:outputs=2")
    image = torch.randn(1, 3, 16, 24)
    whole = MeasuredNetwork(network)(image)
    found = network(image)
    assert torch.equal(whole, torch.cat([found["a"].flatten(), found["more"][0].flatten()]))


def test_upsampling_is_seen_once_whoever_does_it(there):
    network = operators.own_network("measurednet.py:Net")
    image = torch.randn(1, 3, 16, 24)

    def seen(network: torch.nn.Module) -> int:
        from contextlib import contextmanager

        times = []

        @contextmanager
        def around():
            times.append(1)
            yield

        with upsampling(network, around):
            network(image)
        network(image)
        return len(times)

    assert seen(network) == seen(swap(network, "bilinear", image)) == seen(swap(network, "carafe", image)) == 1
