"""A person's own TOML of sites is measured by `run --suite` as it is counted by `reproduce`."""

from __future__ import annotations

from pathlib import Path

import pytest

from a2u_bench.audit import published
from a2u_bench.cli import main
from a2u_bench.errors import UsageError
from a2u_bench.suites.expand import make_plan

NET = """
title = "my decoder"
operators = ["nearest", "a2u:rank=2"]

[[site]]
channels = 8
height = 4
width = 6

[[site]]
channels = 4
height = 8
width = 12
count = 3
scale = 3
"""
SITE = "[[site]]\nchannels = 8\nheight = 4\nwidth = 6\n"


def written(folder: Path, text: str = NET) -> str:
    path = folder / "net.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_its_sites_are_measured_at_their_own_scales_with_its_operators(tmp_path):
    plan = make_plan(suite=written(tmp_path), device="cpu")
    cases = [(case.options, case.shape, case.scale) for case in plan.cases]
    assert cases == [
        ("nearest", (1, 8, 4, 6), 2),
        ("a2u:rank=2", (1, 8, 4, 6), 2),
        ("bilinear", (1, 8, 4, 6), 2),
        ("nearest", (1, 4, 8, 12), 3),
        ("a2u:rank=2", (1, 4, 8, 12), 3),
        ("bilinear", (1, 4, 8, 12), 3),
    ]
    assert plan.suite == "net"
    assert plan.to_manifest()["sites"] == [
        {"shape": [1, 8, 4, 6], "count": 1, "scale": 2},
        {"shape": [1, 4, 8, 12], "count": 3, "scale": 3},
    ]


def test_reproduce_counts_the_same_file(tmp_path):
    table = published.find(written(tmp_path))
    assert [(site.channels, site.count, site.scale) for site in table.sites] == [(8, 1, 2), (4, 3, 3)]


def test_printed_cells_are_not_measured_and_operators_may_be_named_instead(tmp_path):
    text = SITE + '[[cell]]\noperator = "deconv"\nparams = "3K"\n'
    plan = make_plan(suite=written(tmp_path, text), ops="carafe", device="cpu")
    assert [case.options for case in plan.cases] == ["carafe", "bilinear"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no sites"),
        ("[[site]\n", "not sound TOML"),
        (SITE + "chanels = 3\n", "Did you mean 'channels'"),
        (SITE + "scale = 0\n", "scale = 0. Allowed: an integer from 1 to 64"),
        (SITE + "guide_channels = 4\n", "site 1: guide_channels = 4: `run` gives a guide as many channels as z has"),
        ('operators = ["a2v"]\n' + SITE, "'a2v'"),
    ],
)
def test_a_file_that_cannot_be_measured_is_one_line_of_wrong_usage(text, said, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["run", "--suite", written(tmp_path, text), "--device", "cpu", "--dry-run"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_scale_beside_it_and_a_missing_file_are_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match="each site has its own scale"):
        make_plan(suite=written(tmp_path), scales=["4"], device="cpu")
    with pytest.raises(UsageError, match=r"nowhere.toml: no such file"):
        make_plan(suite="nowhere.toml", device="cpu")
    with pytest.raises(UsageError, match=r"Did you mean 'quick'.*a file NAME.toml"):
        make_plan(suite="quik", device="cpu")
