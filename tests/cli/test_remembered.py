"""What `ls` and `show` say is kept while the code stays as it is: asked again, they load no torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from a2u_bench.cli import _remembered as module
from a2u_bench.cli._remembered import remembered

ROOT = Path(__file__).resolve().parents[2]
SLOW = ("torch", "upsamplers", "numpy", "pandas", "scipy", "numba", "a2u_bench.run.processes")


def loaded(commands: list[list[str]], cache: Path) -> tuple[list[str], str]:
    """Which of the slow modules a fresh process has loaded after these commands, and what they printed."""
    code = (
        "import json, sys\n"
        "from a2u_bench.cli import main\n"
        "for command in json.loads(sys.argv[1]):\n    assert main(command) == 0\n"
        "print(json.dumps([name for name in json.loads(sys.argv[2]) if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(commands), json.dumps(SLOW)],
        capture_output=True, text=True, check=True, cwd=ROOT, env={**os.environ, "XDG_CACHE_HOME": str(cache)},
    )  # fmt: skip
    lines = done.stdout.splitlines()
    return json.loads(lines[-1]), "\n".join(lines[:-1])


def test_ls_and_show_load_no_torch_when_they_are_asked_again(tmp_path: Path) -> None:
    commands = [["ls"], ["show", "carafe", "--json"]]
    said = []
    for command in commands:
        found, text = loaded([command], tmp_path)
        assert "torch" in found
        said.append(text)
    assert loaded(commands, tmp_path) == ([], "\n".join(said))
    assert loaded([["ls", "--json"], ["show", "carafe"]], tmp_path)[0] == []


def test_the_doctor_loads_nothing_that_measures(tmp_path: Path) -> None:
    found, said = loaded([["doctor", "--json"]], tmp_path)
    assert found == []
    assert "denormals" not in json.loads(said)["unknown"], "torch was not asked"


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A process without torch and plug-ins, with a cache of its own."""
    monkeypatch.setattr(module, "sys", SimpleNamespace(modules={}, version=sys.version))
    monkeypatch.setattr(module, "entry_points", lambda group: ())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_an_answer_is_found_once_and_anew_where_the_code_has_changed(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(range(9))
    assert [remembered("q", lambda: next(answers)) for _ in range(3)] == [0, 0, 0]
    assert remembered("another", lambda: next(answers)) == 1
    monkeypatch.setattr(module, "_version", lambda: "another")
    assert [remembered("q", lambda: next(answers)) for _ in range(2)] == [2, 2]


def test_where_there_are_plugins_or_torch_nothing_is_kept(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(range(9))
    monkeypatch.setattr(module, "entry_points", lambda group: ("one",))
    assert [remembered("q", lambda: next(answers)) for _ in range(2)] == [0, 1]
    monkeypatch.setattr(module, "entry_points", lambda group: ())
    monkeypatch.setattr(module, "sys", sys)
    pytest.importorskip("torch")
    assert [remembered("q", lambda: next(answers)) for _ in range(2)] == [2, 3]
    assert not list(fresh.rglob("*.json"))


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00"])
def test_a_damaged_cache_is_asked_anew(text: str, fresh: Path) -> None:
    assert remembered("q", lambda: 1) == 1
    (file,) = fresh.rglob("*.json")
    file.write_text(text)
    assert remembered("q", lambda: 2) == 2
    assert remembered("q", lambda: 3) == 2


def test_a_home_that_cannot_be_written_is_no_error(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    answers = iter(range(9))
    assert [remembered("q", lambda: next(answers)) for _ in range(2)] == [0, 1]
