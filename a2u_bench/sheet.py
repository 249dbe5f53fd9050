"""What a person asked to see of some runs, before it becomes a terminal's table or a file: rows, tables, notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import pandas as pd

from a2u_bench import beside, changes, conditions, frames, gates, seeds, texts, units
from a2u_bench.best import best
from a2u_bench.cells import MEASURES, SCORES, Heading, Table, apart, lay_out
from a2u_bench.changes import Change, Pair
from a2u_bench.errors import UsageError, unknown
from a2u_bench.frames import FLOOR_SHARE, RUN, SHAPE
from a2u_bench.gates import Outcome
from a2u_bench.judge import SUBJECT
from a2u_bench.machines import differences, hardware_differences
from a2u_bench.pivot import pivot
from a2u_bench.reading import Reading, read
from a2u_bench.record import BY_NAME, SHOWN, VERDICT
from a2u_bench.remarks import remarks
from a2u_bench.runs import Run


@dataclass(frozen=True)
class Request:
    """The flags of `compare` and `export`: what to keep, to compare with, to show, and in which order."""

    convention: str = "mac"
    baseline: str | None = None
    by: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    fail_if: tuple[str, ...] = ()
    absolute: bool = False  # times of two runs are compared as they are, the machine's own change among them


@dataclass(frozen=True)
class Sheet:
    """Rows of runs as they were asked for. `pair` has those of the same cases where two runs are compared."""

    runs: Sequence[Run]
    request: Request
    frame: pd.DataFrame
    notes: tuple[str, ...]
    reading: Reading
    pair: Pair | None = None
    outcomes: tuple[Outcome, ...] = field(default=())

    @cached_property
    def compared(self) -> dict[str, Change]:
        """Of two runs that are compared, how each measure that is shown changed."""
        if self.pair is None:
            return {}
        return {name: self.change(name) for name in changes.shown(self.request.columns, self.pair)}

    @cached_property
    def changes(self) -> dict[str, pd.DataFrame]:
        """The same as frames: for each measure the axes with before, after, after/before and the verdict."""
        return {} if self.pair is None else {n: changes.table(self.pair, one) for n, one in self.compared.items()}

    def change(self, name: str) -> Change:
        """How one measure changed between the two runs."""
        assert self.pair is not None
        return changes.between(self.pair, name, self.reading, self.request.absolute)

    def tables(self, most: int | None = None) -> list[Table]:
        """The tables, each with at most so many lines: costs and each task's trainings apart; or before and after."""
        if self.changes and not self.request.by:
            return [self._changes(most)]
        trained = seeds.is_trained(self.frame)
        found = []
        if not trained.all() or self.frame.empty:
            found.append(self._table(self.frame[~trained], self.notes, most))
        for rows in seeds.by_task(self.frame[trained]):
            means = frames.sort(seeds.over_seeds(rows), self.request.order)
            found.append(self._table(means, (*self.notes, *filter(None, [seeds.order(rows)])), most))
        return found

    def _table(self, frame: pd.DataFrame, notes: Sequence[str], most: int | None) -> Table:
        frame = frame.reset_index(drop=True)
        request = self.request
        bold = best(frame, _shown(frame, request.columns), self.reading)
        return lay_out(frame, request.columns, request.by, request.convention, notes, bold, most)

    def _changes(self, most: int | None) -> Table:
        """One table with, for each measure, before, after, after/before and the verdict."""
        found = self.changes
        first = next(iter(found.values()))
        labels = frames.run_labels(self.runs)
        said = [
            note for one in self.compared.values() for note in changes.notes(one, self.reading, self.request.absolute)
        ]
        notes = [f"before: {labels[0]}, after: {labels[1]}", *said, *self.notes]
        laid = lay_out(first, ["status"], (), self.request.convention, notes, most=most)
        width = len(laid.headings) - 1
        headings = list(laid.headings[:width])
        columns = [[row[place] for row in laid.cells] for place in range(width)]
        for name, table in found.items():
            heads, cells = _change_columns(self.compared[name], table[:most], table, self.request.convention)
            headings += heads
            columns += cells
        return Table(laid.title, tuple(headings), tuple(zip(*columns, strict=True)), laid.notes)


def make(runs: Sequence[Run], request: Request) -> Sheet:
    """The sheet of these runs. UsageError for what the request names and is not there."""
    if request.convention not in units.CONVENTIONS:
        raise unknown("convention", request.convention, units.CONVENTIONS)
    asked = [gates.parse(text) for text in request.fail_if]
    reading = read(runs, request.baseline)
    frame = reading.frame
    if FLOOR_SHARE in (*request.columns, *(key.removeprefix("-") for key in request.order)):
        frame = frame.assign(**{FLOOR_SHARE: frames.floor_share(frame)})
    columns = [str(name) for name in frame.columns]
    _check_names(request, columns)
    wanted = [conditions.parse(text, columns) for text in request.filters]
    if request.baseline == beside.PEERS:  # every other row is compared with one of theirs
        frame = frame[~beside.is_peer(frame)]
    frame, notes = conditions.keep(frame, wanted)
    manifests = [run.manifest for run in runs]
    notes += tuple(f"the runs are of machines that differ: {text}" for text in differences(manifests))
    keys = [key for key in request.by if key not in SUBJECT]
    frame = frames.sort(frame, request.order or keys)
    pair = None
    if (len(runs) == 2 and request.baseline is None) or any(gate.relative for gate in asked):
        if len(runs) != 2:
            raise UsageError(
                f"--fail-if {_relative(asked)} compares two runs; given: {len(runs)}. Allowed: BEFORE AFTER"
            )
        labels = frames.run_labels(runs)
        found = changes.pair(frame, labels)
        if found.before.empty:
            notes += ("the two runs have no case in common; each stands on its own",)
        else:
            pair = found
            notes += found.notes(labels)
    notes += (*reading.notes, *remarks(reading, frame, request.columns))
    sheet = Sheet(runs, request, frame, notes, reading, pair)
    outcomes = tuple(_outcome(sheet, gate) for gate in asked)
    return Sheet(runs, request, frame, (*notes, *(one.sentence for one in outcomes)), reading, pair, outcomes)


def to_export(sheet: Sheet) -> pd.DataFrame:
    """The rows as other programs read them: every column or those chosen, or a grid where several keys are named."""
    request, frame = sheet.request, sheet.frame
    if len(request.by) < 2:
        chosen = [*request.by, *request.columns] if request.columns else []
        if SHAPE in chosen:
            frame = frame.assign(**{SHAPE: frames.to_shape(frame)})
        return frame[list(dict.fromkeys(chosen))] if chosen else frame
    keys = ["options" if name == "operator" else name for name in request.by]
    axes = [str(name) for name in frame.columns if frames.is_axis(str(name)) and str(name) not in (*keys, *SUBJECT)]
    parts = ("batch", "channels", "height", "width") if SHAPE in keys else ()
    varying = [name for name in axes if name not in parts and not frames.agree(frame[name])]
    side = [keys[0], *(["options"] if "options" not in keys else []), *varying]
    values = list(request.columns) or [name for name in ("latency", "latency_low", "latency_high") if name in frame]
    return pivot(frame, list(dict.fromkeys(side)), keys[1:], values)


def _outcome(sheet: Sheet, gate: gates.Gate) -> Outcome:
    if not gate.relative:
        rows = sheet.frame
        if len(sheet.runs) > 1:
            rows = rows[(rows[RUN] == frames.run_labels(sheet.runs)[-1]).fillna(False).astype(bool)]
        if rows.empty:
            raise UsageError(f"--fail-if {gate.text}: there is no row to judge")
        return gates.check_value(gate, rows)
    if sheet.pair is None:
        raise UsageError(f"--fail-if {gate.text}: the two runs have no case in common, so there is nothing to judge")
    differ = hardware_differences([run.manifest for run in sheet.runs])
    outcome = gates.check_change(gate, sheet.pair, sheet.change(gate.name), differ)
    gone, new = (part[part[gate.name].notna()] for part in (sheet.pair.gone, sheet.pair.new))
    more = new[new["case"].isin(sheet.pair.before["case"])]  # of a case that stands once more after
    alone = [
        f"{name} ({word})" for part, word in ((gone, "only before"), (more, "once more after")) for name in apart(part)
    ]
    return replace(outcome, unclear=(*outcome.unclear, *alone))


def _shown(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """The measures that the table will show and that may be better or worse."""
    return [name for name in columns or (*MEASURES, *SCORES) if name in frame and name in SHOWN and SHOWN[name].better]


def _relative(asked: Sequence[gates.Gate]) -> str:
    return next(gate.text for gate in asked if gate.relative)


def _check_names(request: Request, columns: Sequence[str]) -> None:
    for name in (*request.columns, *request.by):
        if name not in (*columns, SHAPE, seeds.SEEDS):
            raise unknown("column", name, [*columns, SHAPE, FLOOR_SHARE])


def _change_columns(
    change: Change, cut: pd.DataFrame, table: pd.DataFrame, convention: str
) -> tuple[list[Heading], list[list[str]]]:
    """Before and after under one prefix, after/before, and the verdict."""
    name = change.name
    factor = units.CONVENTIONS[convention][1] if name in texts.WORK else 1
    scale = texts.common_scale([table[changes.BEFORE] * factor, table[changes.AFTER] * factor])
    if change.relative or (BY_NAME[name].unit in texts.UNPREFIXED and BY_NAME[name].dtype != "Int64"):
        scale = units.UNSCALED
    unit = "" if change.relative else scale.prefix + BY_NAME[name].unit
    label = texts.column(pd.DataFrame({name: pd.Series([], dtype=BY_NAME[name].dtype)}), name, convention)[0].label
    if change.relative:
        label = label.replace("latency", "ratio")
    headings, columns = [], []
    for word in (changes.BEFORE, changes.AFTER):
        headings.append(Heading(f"{name} {word}", f"{label} {word}", unit))
        parts = [frames.to_values(cut[part] * factor) for part in _with_ends(word, table)]
        columns.append(texts.ratio_texts(*parts) if change.relative else texts.spread_texts(parts, scale))
    headings.append(Heading(f"{name} ratio", changes.CHANGE))
    parts = [frames.to_values(cut[part]) for part in _with_ends(changes.CHANGE, table)]
    columns.append(texts.ratio_texts(*(parts if len(parts) == 3 else [*parts, *[[None] * len(cut)] * 2])))
    headings.append(Heading(f"{name} verdict", "verdict", right=False))
    columns.append([value or texts.UNKNOWN for value in frames.to_values(cut[VERDICT])])
    return headings, columns


def _with_ends(word: str, table: pd.DataFrame) -> list[str]:
    return [word, *(f"{word}_{end}" for end in ("low", "high") if f"{word}_low" in table)]
