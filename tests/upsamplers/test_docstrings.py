"""What `show` takes from docstrings: a paragraph on the operator and a text on each option."""

from __future__ import annotations

import json
import sys

import pytest

from a2u_bench import operators
from a2u_bench.cli import main
from a2u_bench.operators import docstrings

MINE = '''
import torch
from upsamplers import Facts, Upsampler


class Blur(Upsampler):
    """Blurs by `size` pixels,
    everywhere \\x1b[31malike.

    Args:
        channels: C of z.
        size, rate (int): how far: from
            1 to 9.

    Raises:
        OptionError: kind: never.
    """

    facts = Facts("blur", "A blur", "distance-based", kernel_size=3, groups="1", taps="k²", border="replicate")

    def __init__(self, channels, guide_channels=None, scale=2, *, size: int = 3, rate: int = 1, kind: int = 0) -> None:
        super().__init__(channels, guide_channels, scale)

    def weights(self, z, guide=None):
        return torch.ones(1, 1, 9, self.scale, self.scale)

    def macs(self, height, width):
        return 0


class Silent(Blur):
    facts = Facts("silent", "Nothing", "distance-based", kernel_size=3, groups="1", taps="k²", border="replicate")


class OnlyArgs(Blur):
    """
    Args:
        size: how far.
    """

    facts = Facts("args", "Options", "distance-based", kernel_size=3, groups="1", taps="k²", border="replicate")
'''


@pytest.fixture
def mine(tmp_path, monkeypatch):
    (tmp_path / "documented.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("documented", None)
    operators.operator_class.cache_clear()


def test_every_option_of_ours_has_a_text():
    lacking = [
        f"{name}:{option}"
        for name in operators.names()
        for option in operators.options(name).keys() - docstrings.of_options(operators.operator_class(name)).keys()
    ]
    assert lacking == []


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize(
    ("name", "about", "texts"),
    [
        ("Blur", "Blurs by size pixels, everywhere alike.", ["how far: from 1 to 9.", "how far: from 1 to 9.", None]),
        ("Silent", None, [None, None, None]),
        ("OnlyArgs", None, ["how far.", None, None]),
    ],
)
def test_an_operator_of_ones_own_is_shown_by_its_docstring(name, about, texts, capsys):
    assert main(["show", f"documented:{name}", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["about"] == about
    assert [option["about"] for option in shown["options"]] == texts


def test_options_are_explained_within_eighty_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["show", "a2u"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    (line,) = [line for line in out.splitlines() if line.startswith("share_groups")]
    assert line.split()[1:3] == ["4", "int"]
    assert line.endswith("groups of channels for semi-shared;")
