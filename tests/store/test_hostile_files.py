"""Files come from strangers: whatever is in them, a reader reads on or says one line, and nothing else happens."""

from __future__ import annotations

import io
import os
import pickle
import zipfile

import pytest
import torch
from idx_files import write_images
from soak import fuzz
from soak.commands import COMMANDS
from soak.readers import readers

from a2u_bench.audit.claims import check as check_claims
from a2u_bench.audit.published.read import find
from a2u_bench.cli import main
from a2u_bench.errors import UsageError
from upsamplers import StateDictError, load_state

FILES, RUNS = 25, 6


@pytest.mark.parametrize("reader", readers(), ids=lambda reader: reader.name)
def test_a_damaged_file_is_read_in_part_or_refused_in_one_line(reader):
    assert fuzz.fuzz_reader(reader, FILES) >= FILES


@pytest.mark.parametrize("name", COMMANDS)
def test_hostile_rows_end_no_command_in_a_traceback_and_reach_no_terminal(name):
    assert fuzz.fuzz_commands([COMMANDS[name]], RUNS) >= RUNS


def test_the_check_notices_an_escape_a_traceback_and_a_stray_file(tmp_path, monkeypatch):
    from a2u_bench import cli

    def shows(text):
        return lambda arguments: print(text) or 0

    for text in ("\x1b[31m", "\u202e", "a\rb"):
        monkeypatch.setattr(cli, "main", shows(text))
        with pytest.raises(fuzz.Broken, match="terminal"):
            fuzz.check_command([], tmp_path)
    monkeypatch.setattr(cli, "main", lambda arguments: 7)
    with pytest.raises(fuzz.Broken, match="exit code 7"):
        fuzz.check_command([], tmp_path)
    monkeypatch.setattr(cli, "main", lambda arguments: (tmp_path / "stray").touch() or 0)
    with pytest.raises(fuzz.Broken, match="stray"):
        fuzz.check_command([], tmp_path)


class Evil:
    """What runs code where it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("EVIL",)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
def test_no_weights_run_code(tmp_path, monkeypatch, suffix):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"w{suffix}"
    for content in (pickle.dumps(Evil()), _saved({"state_dict": Evil()}), _saved([Evil()])):
        path.write_bytes(content)
        with pytest.raises(StateDictError) as caught:
            load_state(path)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "EVIL").exists()


def test_weights_that_are_larger_than_their_file_are_refused_before_they_are_used(tmp_path):
    torch.save({"w": torch.zeros(1).expand(1 << 20, 1 << 20)}, tmp_path / "view.pth")
    with pytest.raises(StateDictError, match="larger than what the file holds"):
        load_state(tmp_path / "view.pth")
    torch.save({"w": torch.zeros(1 << 20)}, tmp_path / "sound.pth")
    with zipfile.ZipFile(tmp_path / "sound.pth") as sound, zipfile.ZipFile(tmp_path / "bomb.pth", "w") as bomb:
        for name in sound.namelist():
            bomb.writestr(name, sound.read(name), zipfile.ZIP_DEFLATED)
    with pytest.raises(StateDictError, match="would become"):
        load_state(tmp_path / "bomb.pth")
    assert load_state(tmp_path / "sound.pth").keys() == {"w"}


def test_a_pipe_or_a_device_in_the_place_of_a_file_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "w.pth")
    os.mkfifo(tmp_path / "t.toml")
    for path in (tmp_path / "w.pth", "/dev/zero"):
        with pytest.raises(StateDictError, match="not a regular file"):
            load_state(path)
    with pytest.raises(UsageError, match="no file"):
        find(str(tmp_path / "t.toml"))


def test_a_table_beyond_all_measure_is_not_read(tmp_path):
    with (tmp_path / "t.toml").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(UsageError, match="larger than"):
        find(str(tmp_path / "t.toml"))


NAMES = {"a NUL": "a\0b", "300 letters": "x" * 300, "an escape": "\x1b[31mred\x1b[0m"}
"""What can be no name of a file, or would colour the terminal that says so."""

READING = {
    "compare": ["compare", "{name}"],
    "export": ["export", "{name}"],
    "report": ["report", "{name}", "--out", "out.html"],
    "plot": ["plot", "{name}", "--out", "out"],
    "recommend": ["recommend", "{name}", "--budget", "latency=1s"],
    "doctor": ["doctor", "{name}"],
    "merge": ["merge", "{name}", "sound", "--out", "out"],
    "reproduce": ["reproduce", "{name}.toml"],
    "image": ["kernels", "--op", "nearest", "--image", "{name}"],
    "weights": ["kernels", "--op", "carafe:kernel_size=5", "--weights", "{name}"],
    "claims": ["check", "--claims", "{name}"],
    "data": ["quality", "--data", "./{name}", "--out", "out"],
}
WRITING = {
    "export": ["export", "sound", "--out", "{name}"],
    "report": ["report", "sound", "--out", "{name}.html"],
    "plot": ["plot", "sound", "--out", "{name}"],
    "merge": ["merge", "sound", "run", "--out", "{name}"],
    "run": ["run", "--ops", "nearest", "--shape", "1x4x4x4", "--device", "cpu", "--out", "{name}"],
    "quality": ["quality", "--data", "waves", "--pairs", "nearest", "--out", "{name}"],
    "checkpoints": ["quality", "--data", "waves", "--pairs", "nearest", "--out", "out", "--checkpoints", "{name}"],
}
"""What a command does with a path, in a folder with two runs and some images."""


@pytest.fixture
def parent(tmp_path):
    fuzz.hostile_run(tmp_path, [{"version": 1, **fuzz.sound_row()}], {})
    write_images(tmp_path / "waves")
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("what", READING)
def test_a_path_at_which_nothing_can_be_read_is_one_clean_line(what, name, parent):
    assert fuzz.check_command([word.format(name=NAMES[name]) for word in READING[what]], parent) == 2


@pytest.mark.parametrize("name", ["a NUL", "300 letters"])
@pytest.mark.parametrize("what", WRITING)
def test_a_path_at_which_nothing_can_be_written_is_one_clean_line(what, name, parent):
    assert fuzz.check_command([word.format(name=NAMES[name]) for word in WRITING[what]], parent) in (1, 2)


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "a dry run"])
def test_a_run_whose_folder_is_named_to_colour_the_terminal_does_not(name, parent):
    (parent / "run").replace(parent / NAMES["an escape"])
    words = [part.format(run=parent / NAMES["an escape"], out=parent / "out") for part in COMMANDS[name]]
    assert fuzz.check_command(words, parent) == 0


def _saved(content: object) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


@pytest.mark.parametrize("text", ["\\begin{tabular}{ll}\\end{tabular}", "\\begin{tabularx}{1em", "|---|---|\n", "\n"])
def test_a_table_without_a_line_makes_no_claims(tmp_path, text):
    fuzz.hostile_run(tmp_path, [{"version": 1, **fuzz.sound_row()}], {})
    (tmp_path / "t.txt").write_text(text)
    with pytest.raises(UsageError, match="no line in it names an operator"):
        check_claims(tmp_path / "t.txt", tmp_path / "run")


@pytest.mark.parametrize("budget", ["latency=1s", "latency=1ns"])
def test_nodes_named_to_colour_the_terminal_do_not_where_nothing_fits(tmp_path, budget):
    fuzz.hostile_run(tmp_path, [{"version": 1, **fuzz.sound_row()}], {text: {"cpu": text} for text in fuzz.NASTY})
    assert fuzz.check_command(["recommend", "run", "--budget", budget], tmp_path) == (
        0 if budget == "latency=1s" else 3
    )


MARKUP = {
    "html": ("<script>alert(1)", "<img src=x"),
    "latex": ("\\input{", "\\write18"),
    "csv": ("\n=cmd", ",=cmd"),
}


@pytest.mark.parametrize("form", MARKUP)
@pytest.mark.parametrize("column", ["options", "variant", "device", "dtype", "reason", "note", "origin", "node"])
def test_markup_in_a_text_is_text_in_every_export(tmp_path, capsys, form, column):
    rows = [{"version": 1, **fuzz.sound_row(), "case": f"c{n}", column: text} for n, text in enumerate(fuzz.NASTY)]
    if column in ("reason", "note"):
        rows = [{**row, "status": "failed"} for row in rows]
    folder = fuzz.hostile_run(tmp_path, rows, {text: text for text in fuzz.NASTY})
    assert main(["export", str(folder), "--format", form]) == 0
    out = capsys.readouterr().out
    assert [raw for raw in MARKUP[form] if raw in out] == []


def test_markup_in_a_text_is_text_in_a_report(tmp_path, capsys):
    columns = ("options", "variant", "device", "dtype", "reason", "note", "origin", "node")
    rows = [
        {"version": 1, **fuzz.sound_row(), "case": f"c{n}-{column}", column: text}
        for n, text in enumerate(fuzz.NASTY)
        for column in columns
    ]
    folder = fuzz.hostile_run(tmp_path, rows, {text: text for text in fuzz.NASTY})
    assert main(["report", str(folder), "--out", str(tmp_path / "r.html")]) == 0
    page = (tmp_path / "r.html").read_text()
    assert [raw for raw in MARKUP["html"] if raw in page] == []
