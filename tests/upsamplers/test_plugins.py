"""A user's own operator: by MODULE:CLASS, by entry point, as the README's template has it, and broken in every way."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import upsamplers
from a2u_bench import operators
from a2u_bench.cli import main
from a2u_bench.errors import UsageError
from a2u_bench.operators import papers
from a2u_bench.suites.expand import make_plan
from upsamplers import registry, testing

README = Path(__file__).parents[2] / "README.md"


@dataclass(frozen=True)
class Point:
    """An entry point that loads something, or raises."""

    value: str
    loaded: Any

    def load(self) -> Any:
        if isinstance(self.loaded, Exception):
            raise self.loaded
        return self.loaded


@pytest.fixture
def template() -> Iterator[type[upsamplers.Upsampler]]:
    """The class of the README's template, importable as `mine:Soft`."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    (source,) = [block for block in blocks if "(Upsampler):" in block]
    assert len(source.splitlines()) <= 20, "the README promises a template of at most 20 lines"
    module = ModuleType("mine")
    sys.modules["mine"] = module
    exec(compile(source, "mine.py", "exec"), module.__dict__)
    yield module.Soft
    del sys.modules["mine"]
    operators.operator_class.cache_clear()


def install(monkeypatch: pytest.MonkeyPatch, *points: Point) -> None:
    """Installed packages with these entry points, and no others."""
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    registry._plugins.cache_clear()
    registry.classes.cache_clear()
    operators.operator_class.cache_clear()


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    registry._plugins.cache_clear()
    registry.classes.cache_clear()
    operators.operator_class.cache_clear()


def test_the_readme_template_keeps_the_contract(
    template: type[upsamplers.Upsampler], capsys: pytest.CaptureFixture[str]
) -> None:
    testing.check_operator(template)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(testing.SCALES)
    assert ": ok: facts, forward = definition, a 1×1 map, multiply-adds, inputs unchanged" in lines[0]
    assert [line for line in lines if "gradients" in line] == [lines[testing.SCALES.index(2)]]


def test_a_class_is_planned_by_its_module_and_name(template: type[upsamplers.Upsampler]) -> None:
    plan = make_plan(ops="mine:Soft", device="cpu")
    assert [case.operator for case in plan.cases] == ["mine:Soft", "bilinear"]


def test_an_entry_point_is_an_operator_like_any_other(
    monkeypatch: pytest.MonkeyPatch, template: type[upsamplers.Upsampler]
) -> None:
    install(monkeypatch, Point("mine:Soft", template))
    assert "soft" in upsamplers.names()
    assert isinstance(upsamplers.create("soft", channels=4), template)
    assert "soft" in {case.operator for case in make_plan(ops="all", device="cpu").cases}
    assert registry.plugin_problems() == ()


BROKEN = [
    (Point("a:B", ImportError("no such thing")), "plug-in a:B is left out: ImportError: no such thing"),
    (Point("a:B", SyntaxError("bad\nline")), "plug-in a:B is left out: SyntaxError: bad line"),
    (Point("a:B", 3), "plug-in a:B is left out: TypeError: it must be a subclass of upsamplers.Upsampler; got 3"),
    (Point("a:B", type("B", (upsamplers.Upsampler,), {})), "TypeError: B states no facts: an upsamplers.Facts"),
    (
        Point("a:B", type("B", (upsamplers.Upsampler,), {"facts": upsamplers.facts("nearest")})),
        "TypeError: B defines no weights(z, guide) -> w",
    ),
]


@pytest.mark.parametrize(("point", "line"), BROKEN)
def test_a_broken_entry_point_is_one_line_and_the_others_stay(
    monkeypatch: pytest.MonkeyPatch, point: Point, line: str
) -> None:
    before = upsamplers.names()
    install(monkeypatch, point)
    assert upsamplers.names() == before
    (problem,) = registry.plugin_problems()
    assert line in problem
    assert "\n" not in problem


def test_a_name_of_ours_cannot_be_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = registry.operator_class("nearest")
    thief = type("Thief", (ours,), {})
    install(monkeypatch, Point("a:Thief", thief))
    assert registry.operator_class("nearest") is ours
    (problem,) = registry.plugin_problems()
    assert "the name 'nearest' is taken" in problem


def test_a_broken_class_has_a_failed_row_while_others_run() -> None:
    plan = make_plan(ops="nearest no.such.module:Thing", device="cpu")
    assert [case.operator for case in plan.cases] == ["nearest", "bilinear"]
    (broken,) = plan.skipped
    assert broken.status == "failed"
    assert "cannot import operator 'no.such.module:Thing': ModuleNotFoundError" in broken.reason


MODULE = """
import elsewhere_that_is_nowhere
from upsamplers import Upsampler

raise RuntimeError("this was run")

class Soft(Upsampler): pass
class Softer(Soft): pass
class _Hidden(Upsampler): pass
class Foreign(elsewhere_that_is_nowhere.Base):
    facts: object = 1
    def weights(self, z, guide=None): ...
class Other: pass
"""


@pytest.mark.parametrize("typed", ["mine_unread", "mine_unread.py", "inside.mine_unread"])
def test_the_operators_of_a_module_are_named_without_running_it(typed, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "__init__.py").write_text("raise RuntimeError")
    for folder in (tmp_path, tmp_path / "inside"):
        (folder / "mine_unread.py").write_text(MODULE)
    name = typed.removesuffix(".py")
    said = f"did you mean '{name}:Foreign' or '{name}:Soft' or '{name}:Softer'? allowed: a2u, "
    with pytest.raises(UsageError, match=re.escape(said)):
        operators.operator(typed)
    assert name not in sys.modules


@pytest.mark.parametrize("text", ["no python", "\0", "x = 1", ""])
def test_a_module_without_operators_gives_no_hint(text, tmp_path, monkeypatch):
    (tmp_path / "zzz.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match="no operator 'zzz'; allowed: a2u, "):
        operators.operator("zzz")
    with pytest.raises(UsageError, match=r"no operator 'os\.path'; "):
        operators.operator("os.path")


def test_the_nearest_class_of_a_module_is_named(template: type[upsamplers.Upsampler]) -> None:
    with pytest.raises(UsageError, match="module 'mine' has no 'Sof'; did you mean 'mine:Soft'\\? allowed: mine:Soft"):
        operators.operator("mine:Sof")


def test_the_library_answers_a_file_with_the_name_of_its_module(tmp_path, monkeypatch):
    (tmp_path / "mine_file.py").write_text("class Soft(Upsampler): pass")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(upsamplers.UnknownOperator, match=r"write mine_file:Soft, without \.py"):
        upsamplers.facts("mine_file.py:Soft")


def test_a_file_of_this_folder_means_its_module(template: type[upsamplers.Upsampler]) -> None:
    plan = make_plan(ops="mine.py:Soft", device="cpu")
    assert [case.options for case in plan.cases] == ["mine:Soft", "bilinear"]


def test_the_library_takes_the_names_that_the_command_line_takes(template: type[upsamplers.Upsampler]) -> None:
    assert isinstance(upsamplers.create("mine:Soft", channels=4), template)
    assert upsamplers.facts("mine:Soft") is template.facts
    with pytest.raises(upsamplers.UnknownOperator, match="did you mean 'mine:Soft'"):
        upsamplers.create("mine:Sof", channels=4)


def test_a_broken_class_alone_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="cannot import operator"):
        make_plan(ops="no.such.module:Thing", device="cpu")


def test_a_file_beside_the_person_is_found_without_being_installed(tmp_path, monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    (source,) = [block for block in blocks if "(Upsampler):" in block]
    (tmp_path / "mine_alone.py").write_text(source)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    with pytest.raises(UsageError, match="cannot import"):
        operators.operator("mine_alone:Soft")
    monkeypatch.chdir(tmp_path)
    try:
        assert operators.operator("mine_alone:Soft").text == "mine_alone:Soft"
    finally:
        sys.modules.pop("mine_alone", None)
        operators.operator_class.cache_clear()


def test_a_class_itself_is_an_operator_and_what_is_none_is_told_in_one_line():
    cls = upsamplers.registry.operator_class("carafe")
    assert type(upsamplers.create(cls, channels=8)) is cls
    with pytest.raises(
        upsamplers.UnknownOperator, match=r"no operator .*: it must be a subclass of upsamplers\.Upsampler"
    ):
        upsamplers.create(dict, channels=8)  # type: ignore[arg-type]


UNPUBLISHED = """
import torch
from upsamplers import Facts, Paper, Upsampler


class Mean(Upsampler):
    facts = Facts("mean", "A mean", "distance-based", kernel_size=3, groups="1", taps="k²", border="replicate")

    def weights(self, z, guide=None):
        return torch.full((1, 1, 9, self.scale, self.scale), 1 / 9, dtype=z.dtype, device=z.device)

    def macs(self, height, width):
        return self.channels * 9 * self.scale**2 * height * width


class Cited(Mean):
    paper = Paper("You", "", "arXiv", 2026)
    facts = Facts("cited", "A mean", "distance-based", paper, kernel_size=3, groups="1", taps="k²")
"""


def test_an_operator_needs_no_paper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "not_published.py").write_text(UNPUBLISHED)
    monkeypatch.syspath_prepend(tmp_path)
    mean = registry.operator_class("not_published:Mean")
    testing.check_operator(mean)
    with pytest.raises(AssertionError, match="cited: the paper is incomplete"):
        testing.check_operator(registry.operator_class("not_published:Cited"))
    assert papers.of_own(["not_published:Mean"])["not_published:Mean"].paper is None
    assert make_plan(ops="not_published:Mean", device="cpu").skipped == ()
    capsys.readouterr()
    assert main(["show", "not_published:Mean"]) == 0
    assert "paper" not in capsys.readouterr().out
    assert main(["show", "not_published:Mean", "--json"]) == 0
    assert '"paper": null' in capsys.readouterr().out
    install(monkeypatch, Point("not_published:Mean", mean))
    assert main(["ls"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("mean ")]
    assert line.endswith("A mean")
    assert main(["ls", "--json"]) == 0
    assert '"paper": null' in capsys.readouterr().out
