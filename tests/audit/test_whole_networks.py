"""Published whole networks: their digits are reached line by line, and what is not installed is skipped by name."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
import torch
from networks_page import PUBLISHED, SHOWN, printed
from real_networks import package, torchvision, transformers
from torch import Tensor, nn
from torch.nn import functional

from a2u_bench.audit import published
from a2u_bench.audit.published import PublishedCell, PublishedSite, PublishedTable, Whole, parse_printed
from a2u_bench.audit.published.reproduce import Reproduced, reproduce
from a2u_bench.audit.published.table import OF_LIBRARIES
from a2u_bench.audit.published.whole import _lines, _sites
from a2u_bench.cli import main
from a2u_bench.operators.networks import counted
from a2u_bench.operators.networks import published as networks
from upsamplers import choices, swap

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries' own code

SEGFORMER, DETECTOR = "segformer-b1-whole", "faster-rcnn-whole"
LIBRARY = {SEGFORMER: transformers, DETECTOR: torchvision}
CELLS = [(name, cell) for name in LIBRARY for cell in published.find(name).cells]
MISPRINTS = {
    (SEGFORMER, "sapa:mode=gated", "params"),
    (SEGFORMER, "sapa:mode=gated", "macs"),
    (SEGFORMER, "deconv", "macs"),
    (DETECTOR, "sapa:mode=gated", "params"),
}

BOXES = 1000  # proposals
PYRAMID = 200 * 320 + 100 * 160 + 50 * 80 + 25 * 40
PROPOSED = PYRAMID + 13 * 20
STEM = 64 * 3 * 49 + 2 * 64
FIRST_STAGE = (
    64 * 256 + 2 * 256 + (64 * 64 + 9 * 64**2 + 64 * 256) + 2 * (256 * 64 + 9 * 64**2 + 64 * 256) + 3 * 2 * 384
)
TOTAL: dict[tuple[str, str], int] = {
    (SEGFORMER, "params"): 13_715_798 + 150 * (128 + 1),
    (SEGFORMER, "macs"): 15_911_649_280,
    (DETECTOR, "params"): 41_757_156 - STEM - FIRST_STAGE - 4 * (1024 + 1),
    (DETECTOR, "macs"): 207_065_138_100,
}


@pytest.fixture
def afresh() -> Iterator[None]:
    """Nothing that was counted before is known, and nothing that a test changes stays."""
    kept = (_lines, _sites, networks.published)
    for one in kept:
        one.cache_clear()
    yield
    for one in kept:
        one.cache_clear()


def own(table: str, quantity: str) -> Reproduced:
    """The cell of the network as it is."""
    LIBRARY[table]()
    found = published.find(table)
    (cell,) = [one for one in found.cells if one.operator == "original" and one.quantity == quantity]
    (made,) = reproduce(replace(found, cells=(cell,)))
    return made


@pytest.mark.parametrize(("name", "cell"), CELLS, ids=[f"{n}-{c.operator}-{c.quantity}" for n, c in CELLS])
def test_every_cell_agrees_to_its_digits_or_is_a_proven_misprint(name: str, cell: PublishedCell) -> None:
    LIBRARY[name]()
    (one,) = reproduce(replace(published.find(name), cells=(cell,)))
    wrong = (name, cell.operator, cell.quantity) in MISPRINTS
    assert one.verdict == ("known misprint" if wrong else "agrees"), one
    assert cell.source is not None and cell.is_of_library


@pytest.mark.parametrize(("name", "quantity"), TOTAL)
def test_the_lines_add_up_to_the_count(name: str, quantity: str) -> None:
    one = own(name, quantity)
    assert sum(line.count for line in one.lines) == one.recomputed == TOTAL[name, quantity]
    assert len({line.what for line in one.lines}) == len(one.lines) > 1


def test_the_work_of_the_detector_is_that_of_its_formulas() -> None:
    lines = {line.what: line.count for line in own(DETECTOR, "macs").lines}
    backbone = 4_087_136_256 * (800 * 1280) // 224**2  # ResNet-50 without its classifier, as every table of it has it
    laterals = 256 * (256 * 64_000 + 512 * 16_000 + 1024 * 4_000 + 2048 * 1_000)
    proposals = PROPOSED * 256 * (9 * 256 + 3 + 12)
    assert lines[counted.CONVOLUTIONS] == backbone + laterals + 9 * 256**2 * PYRAMID + proposals
    assert lines[counted.LINEAR] == BOXES * 1024 * (256 * 49 + 1024 + 81 + 4 * 81)
    assert lines[counted.BIASES] == 2 * 256 * PYRAMID + (256 + 15) * PROPOSED


def test_the_work_of_segformer_is_that_of_its_formulas() -> None:
    lines = {line.what: line.count for line in own(SEGFORMER, "macs").lines}
    widths, sides, reduction = (64, 128, 320, 512), (128, 64, 32, 16), (8, 4, 2, 1)
    attention = sum(2 * 2 * s**2 * (s // r) ** 2 * c for c, s, r in zip(widths, sides, reduction, strict=True))
    assert lines[counted.PRODUCTS] == attention
    assert lines[counted.NORMS] == 2 * 256 * 128**2
    assert lines[counted.RELU] == 256 * 128**2


@pytest.mark.parametrize("name", LIBRARY)
def test_operators_are_found_where_the_table_has_them(name: str) -> None:
    LIBRARY[name]()
    found = published.find(name)
    assert {one.sites for one in reproduce(found)} == {found.sites}


@pytest.mark.parametrize(("name", "operator"), [(SEGFORMER, "carafe"), (SEGFORMER, "a2u"), (DETECTOR, "sapa")])
def test_what_is_added_is_what_swap_adds(name: str, operator: str) -> None:
    LIBRARY[name]()
    found = published.find(name)
    cells = tuple(cell for cell in found.cells if cell.operator == operator and cell.quantity == "params")
    (one,) = reproduce(replace(found, cells=cells))
    assert cells[0].whole is not None
    network: Any = networks.published(cells[0].whole.network).network
    made = swap(network.to_empty(device="cpu"), operator, torch.zeros(1, 3, 64, 64), cascade=True)
    assert sum(choice.params for choice in choices(made)) == one.recomputed != 0
    networks.published.cache_clear()


class Layers(nn.Module):
    """One of each layer that is counted, and some that are not."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.plain = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 1, groups=2, bias=False)
        self.norm, self.relu, self.pool = nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)
        self.layer_norm, self.linear = nn.LayerNorm(12), nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 3, 16, 12] to [B, 5, 5]."""
        x = self.pool(self.relu(self.norm(self.plain(self.first(x)))))
        rows = self.linear(self.layer_norm(functional.gelu(x).flatten(2)))
        product: Tensor = rows.transpose(1, 2) @ rows
        return functional.relu(product)


def test_each_layer_is_counted_by_its_rule() -> None:
    lines = counted.work(Layers(), torch.empty(2, 3, 16, 12))
    made = 2 * 4 * 8 * 6
    assert {line.what: line.count for line in lines} == {
        counted.CONVOLUTIONS: made * 27 + made * 2,
        counted.LINEAR: 2 * 4 * 12 * 5,
        counted.PRODUCTS: 2 * 5 * 4 * 5,
        counted.BIASES: made,
        counted.NORMS: 2 * made,
        counted.RELU: made,
        counted.POOLING: made,
    }


def test_mmcvs_own_counter_gives_the_same() -> None:
    counter = package("mmcv.cnn")
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 6, 1, bias=False)
    ).append(nn.Linear(5, 7))
    theirs, _ = counter.get_model_complexity_info(network, (3, 24, 20), print_per_layer_stat=False, as_strings=False)
    assert sum(line.count for line in counted.work(network, torch.empty(1, 3, 24, 20))) == theirs


def asked(operator: str, text: str, network: str = "segformer-b1") -> Reproduced:
    """A cell that somebody might have printed."""
    cell = PublishedCell("x", operator, "params", parse_printed(text), whole=Whole(network, 64, 64))
    (one,) = reproduce(PublishedTable("own", "own", (PublishedSite(1, 1, 1),), (cell,)))
    return one


def test_other_digits_are_not_reproduced_and_the_difference_is_said() -> None:
    transformers()
    one = asked("original", "13.72M")
    assert one.verdict == "not reproduced"
    assert one.why.endswith("recomputed - published = +0.0151M")
    assert asked("carafe", "+0.45M").why.endswith("= -0.0051M")


def test_without_a_plus_the_network_and_its_operators_are_counted() -> None:
    transformers()
    assert asked("carafe", "14.18M").recomputed == TOTAL[SEGFORMER, "params"] + 6 * 74_148


@pytest.mark.parametrize("name", OF_LIBRARIES)
def test_a_missing_library_is_said_with_what_to_install(name, afresh, monkeypatch: pytest.MonkeyPatch) -> None:
    library = {"segformer-b1": "transformers", "faster-rcnn-r50-fpn": "torchvision"}[name]
    for module in [key for key in sys.modules if key.startswith(f"{library}.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    one = asked("original", "1M", name)
    assert (one.verdict, one.recomputed, one.lines) == ("skipped", None, ())
    assert library in one.why and "pip install" in one.why


def test_a_library_that_does_not_load_is_said_in_one_line(afresh, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    class Broken(ModuleType):
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("operator torchvision::nms\ndoes not exist")

    for module in [key for key in sys.modules if key.startswith("torchvision.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "torchvision", Broken("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.models.detection", Broken("torchvision.models.detection"))
    assert main(["reproduce", DETECTOR, "--json"]) == 0
    cells = json.loads(capsys.readouterr().out)["cells"]
    assert {cell["verdict"] for cell in cells} == {"skipped"}
    assert {cell["recomputed"] for cell in cells} == {None}
    said = "torchvision cannot be imported (operator torchvision::nms does not exist): pip install torchvision"
    assert {cell["why"] for cell in cells} == {said}
    assert main(["reproduce", DETECTOR]) == 0
    assert "what makes the network is not installed" in capsys.readouterr().out


def test_the_command_shows_the_lines_and_flop_doubles_them(capsys) -> None:
    transformers()
    assert main(["reproduce", SEGFORMER]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "params together 13,735,148" in lines
    assert "macs BatchNorm, 2 for each element 8,388,608" in lines
    assert "z: 1 × (256×16×16) + 2 × (256×32×32) + 3 × (256×64×64)" in lines
    assert main(["reproduce", SEGFORMER, "--convention", "flop"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "params together 13,735,148" in lines
    assert "macs together 31,823,298,560" in lines


def test_the_networks_of_a_table_are_those_that_can_be_made() -> None:
    assert tuple(networks.NETWORKS) == OF_LIBRARIES


def test_the_page_shows_what_the_command_prints() -> None:
    torchvision()
    assert SHOWN.findall(PUBLISHED.read_text(encoding="utf-8")) == [printed()], "run python tests/networks_page.py"
