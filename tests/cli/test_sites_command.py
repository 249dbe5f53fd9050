"""`a2u-bench sites`: a person's own network, from a module or from a file beside them, and what an operator adds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from a2u_bench.cli import main

NETWORK = """
import torch
from torch import nn
import beside

class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.first, self.up, self.last = nn.Conv2d(3, width, 3, 1, 1), nn.Upsample(scale_factor=4), beside.last(width)

    def forward(self, x):
        return self.last(self.up(self.first(x)))

def broken():
    raise ValueError("two\\nlines")

def number():
    return 3

def none():
    return nn.Sequential(nn.Conv2d(3, 3, 1))

made = Net()
COUNT = 7
"""


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a network's file in it, which is where the person is."""
    (tmp_path / "ownnet.py").write_text(NETWORK)
    (tmp_path / "beside.py").write_text("from torch import nn\ndef last(width):\n    return nn.Conv2d(width, 2, 1)\n")
    (tmp_path / "wrong.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["sites", *words, "--shape", "1x3x16x24"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("given", ["ownnet.py:Net", "ownnet:Net", "./ownnet.py:made", "ownnet.py:Net:width=8"])
def test_a_file_and_a_module_are_the_same(given: str, there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, given)
    assert f"{given}, image 1×3×16×24" in out
    assert "up#0 interpolate nearest 1×8×16×24 ×4    none" in out
    assert "1 site, 1 of them to swap\nparameters: 242\n" in out


SEVERAL = """
from torch import nn

class Several(nn.Module):
    def __init__(self):
        super().__init__()
        self.same, self.also, self.up = nn.Upsample(scale_factor=1), nn.Upsample(scale_factor=1), nn.Upsample(None, 2)

    def forward(self, x):
        return self.up(self.also(self.same(x)))
"""


def test_why_a_site_keeps_what_it_has_is_said_once_below(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (there / "several.py").write_text(SEVERAL)
    table, notes = printed(capsys, "several.py:Several").split("3 sites, 0 of them to swap\n")
    assert notes.splitlines()[:2] == [
        "same#0, also#0: keeps the size",
        "up#0: the input image: nothing is learned before it",
    ]
    assert "keeps the size" not in table and max(map(len, table.splitlines())) <= 80


def test_an_operator_says_what_it_adds(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "ownnet.py:Net", "--op", "carafe:kernel_size=3", "--cascade")
    assert "×2×2" in out and "1 site, 1 of them swapped" in out
    plain = json.loads(printed(capsys, "ownnet.py:Net", "--op", "carafe:kernel_size=3", "--cascade", "--json"))
    (site,) = plain["sites"]
    assert (site["site"], site["scales"], site["operator"], site["reason"]) == ("up#0", [2, 2], "carafe", None)
    assert plain["params_with"] == plain["params"] + site["params"] == 242 + site["params"]
    assert f"parameters: 242 before, {plain['params_with']:,} after" in out


def test_json_has_every_fact(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site,) = json.loads(printed(capsys, "ownnet.py:Net:width=4", "--json"))["sites"]
    assert (site["kind"], site["mode"], site["z"], site["result"]) == (
        "interpolate",
        "nearest",
        [1, 4, 16, 24],
        [1, 4, 64, 96],
    )
    assert (site["guide"], site["align_corners"], site["operator"]) == (None, False, None)


def test_no_site_is_an_answer(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no site: nothing that upsamples was called" in printed(capsys, "ownnet.py:none")


WRONG = {
    "ownnet.py": (2, "cannot read network 'ownnet.py'. Allowed: MODULE:CALLABLE"),
    "nowhere.py:make": (2, "no file 'nowhere.py'"),
    "nowhere:make": (2, "cannot import 'nowhere'"),
    "ownnet.py:Nett": (2, "ownnet has no 'Nett'; did you mean 'Net'?"),
    "ownnet.py:COUNT": (2, "is no network: int"),
    "ownnet.py:made:width=3": (2, "is a network already, which takes no options"),
    "ownnet.py:Net:width=": (2, "cannot read option 'width=' of network"),
    "ownnet.py:Net:depth=3": (1, "TypeError: "),
    "ownnet.py:broken": (1, "ownnet.py:broken: ValueError: two lines"),
    "ownnet.py:number": (1, "it must return a torch.nn.Module; got int"),
    "wrong.py:make": (1, "wrong.py: ZeroDivisionError: division by zero"),
    "ownnet.py:Net --op caraffe": (2, "Did you mean 'carafe'?"),
    "ownnet.py:Net --op sapa": (1, "no site of Net takes sapa: up#0: needs a guide"),
    "ownnet.py:Net --op carafe --sites up": (2, "no site 'up'; did you mean 'up#0'?"),
    "ownnet.py:none --op carafe": (1, "has no site"),
    "ownnet.py:Net --cascade": (2, "--cascade needs --op OP"),
    "ownnet.py:Net --shape 3x16x16": (2, "cannot read shape '3x16x16'"),
    "ownnet.py:Net --shape 1x4x16x16": (2, "Net raises on these inputs (1×4×16×16): RuntimeError"),
    "ownnet.py:Net --op carafe --shape 1x4x16x16": (2, "Net raises on these inputs"),
}


@pytest.mark.parametrize("words", WRONG)
def test_what_is_wrong_is_one_line(words: str, there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = WRONG[words]
    assert main(["sites", *words.split()]) == code
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert said.lower() in err.lower()
