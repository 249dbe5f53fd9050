"""What a person asked to see of some runs, before it becomes a terminal's table or a file: rows, tables, notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from a2u_bench import units
from a2u_bench.columns import RATIO, RUN, SHOWN, SUBJECT, VERDICT
from a2u_bench.errors import UsageError, unknown
from a2u_bench.judge import before_after, folds, gates, peers, seeds
from a2u_bench.judge import filters as conditions
from a2u_bench.judge.before_after import Change, Matched
from a2u_bench.judge.best import best
from a2u_bench.judge.gates import Outcome
from a2u_bench.judge.reading import Reading, read
from a2u_bench.machine.differences import differences, hardware_differences
from a2u_bench.paper_names import is_own
from a2u_bench.sanitize import plain
from a2u_bench.store import frames
from a2u_bench.store.read import Run
from a2u_bench.tables import naming, summary
from a2u_bench.tables import notes as sentences
from a2u_bench.tables.changes import table_of_changes
from a2u_bench.tables.column import by_headings
from a2u_bench.tables.layout import EVERY, MEASURES, SCORES, Marks, Table, apart, lay_out
from a2u_bench.tables.order import fastest_first, is_unnamed_variant
from a2u_bench.tables.request import Request

TONES = {"faster": "better", "slower": "worse"}
"""What a verdict says of the latency and of the ratio beside it."""


@dataclass(frozen=True)
class View:
    """Rows of runs as they were asked for. `pair` has those of the same cases where two runs are compared."""

    runs: Sequence[Run]
    request: Request
    frame: pd.DataFrame
    notes: tuple[str, ...]
    reading: Reading
    pair: Matched | None = None
    outcomes: tuple[Outcome, ...] = field(default=())
    brief: tuple[str, ...] = ()  # what of the notes must be known of any table of these rows

    @cached_property
    def compared(self) -> dict[str, Change]:
        """Of two runs that are compared, how each measure that is shown changed."""
        if self.pair is None:
            return {}
        return {name: self.change(name) for name in before_after.shown(self.request.columns, self.pair)}

    @cached_property
    def changes(self) -> dict[str, pd.DataFrame]:
        """The same as frames: for each measure the axes with before, after, after/before and the verdict."""
        return {} if self.pair is None else {n: before_after.table(self.pair, one) for n, one in self.compared.items()}

    def change(self, name: str) -> Change:
        """How one measure changed between the two runs."""
        assert self.pair is not None
        return before_after.between(self.pair, name, self.reading, self.request.absolute)

    def tables(self, most: int | None = None) -> list[Table]:
        """The tables, each with at most so many lines: costs and each task's trainings apart; or before and after."""
        if self.changes and not self.request.by:
            return [table_of_changes(self, most)]
        trained = frames.is_trained(self.frame)
        found = []
        if not trained.all() or self.frame.empty:
            costs, notes = self._shown_costs(self.frame[~trained])
            found.append(self._table(costs, notes, most))
        for rows in self.trainings():
            means = frames.sort(folds.by_section(seeds.over_seeds(rows)), self.request.order)
            said = () if self.request.notes == "none" else summary.of_trainings(rows)
            found.append(self._table(means, [*self.below(), *said], most))
        return found

    def trainings(self) -> list[pd.DataFrame]:
        """The rows of each task's trainings, their pairs named as was asked for."""
        request = self.request
        named = request.known and not request.as_typed
        frame = naming.with_pairs(self.frame, request.known) if named else self.frame
        return seeds.by_task(frame[frames.is_trained(frame)])

    def named(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Rows of this view with their operators named as was asked for."""
        known, typed = self.request.known, self.request.as_typed
        return frame if typed or not known else frame.assign(options=naming.in_papers(frame, known))

    def below(self, variants: Sequence[str] = ()) -> tuple[str, ...]:
        """The notes as they were asked for, with what is said of variants."""
        if self.request.notes == "full":
            return (*variants, *self.notes)
        if self.request.notes == "none":
            return ()
        about = summary.in_short(self.reading, self.frame, variants, self.request.has_ratios)
        return (*about, *self.brief, *(one.sentence for one in self.outcomes))

    def _shown_costs(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
        """What stands in a table: without variants that nobody named, fastest first unless another order was asked
        for; and the notes, with how many are left out and who is how much slower than the fastest."""
        request, hidden = self.request, self._hidden(frame)
        said = _left_out(hidden)
        frame = self._in_order(frame[~hidden])
        if request.notes == "none":
            return frame, ()
        fastest = summary.fastest(self.named(frame), self.reading)
        return frame, (*fastest, *self._called(self.below(said)), *summary.of_ranges(frame))

    def left_out(self) -> list[str]:
        """How many rows of variants no table of costs shows; nothing where none is hidden."""
        return _left_out(self._hidden(self.frame[~frames.is_trained(self.frame)]))

    def _hidden(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        """Which rows are variants that neither a run nor this view names."""
        request = self.request
        if self.changes or request.variants or request.by or conditions.choose_operators(request.filters):
            return np.zeros(len(frame), dtype=bool)
        return is_unnamed_variant(frame, self.reading)

    def _called(self, notes: Sequence[str]) -> list[str]:
        """Notes with operators as this view names them, but those that repeat what was typed."""
        options, named = (frames.to_values(frame["options"]) for frame in (self.frame, self.named(self.frame)))
        called = {typed: name for typed, name in zip(options, named, strict=True) if typed and typed != name}
        found = naming.whole(called)
        return [n if "--" in n else found.sub(lambda match: str(called[match[0]]), n) for n in notes]

    def _in_order(self, frame: pd.DataFrame) -> pd.DataFrame:
        """As was asked for, else fastest first; then a person's own."""
        request = self.request
        if not (request.order or request.by):
            by_latency = "latency" in request.columns and not request.has_ratios  # by what a reader sees
            frame = fastest_first(frame, request.variants, None if by_latency else self.reading)
        if request.in_document:
            frame = frame.iloc[np.argsort(self._own(frame), kind="stable")]
        return frame

    def _own(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        known = self.request.known
        return np.array([one is not None and is_own(one, known) for one in frames.to_values(frame["operator"])], bool)

    def _table(self, frame: pd.DataFrame, notes: Sequence[str], most: int | None) -> Table:
        request = self.request
        found = best(frame, _shown(frame, request.columns), self.reading)  # by the places of rows in the reading
        verdict = frame[VERDICT].map(TONES).fillna("") if VERDICT in frame else None
        tones = {} if verdict is None else dict.fromkeys(("latency", RATIO), verdict)
        own = self._own(frame).tolist() if request.in_document else ()
        shown = self.named(frame)
        if request.indent and not (request.by or request.order):
            shown = shown.assign(options=naming.indented(frame, shown["options"]))
        marks = Marks(found, tones, own)
        asked = (request.columns, request.by, request.convention)
        return lay_out(shown, *asked, notes, marks, most, request.decimals)


def make(runs: Sequence[Run], request: Request) -> View:
    """The view of these runs. UsageError for what the request names and is not there."""
    if request.convention not in units.CONVENTIONS:
        raise unknown("convention", request.convention, units.CONVENTIONS)
    asked = gates.parse_all(request.fail_if)
    printed = naming.typed_names(runs, request.known) if request.known and (request.filters or request.baseline) else {}
    if printed and request.baseline not in (None, peers.PEERS):
        request = replace(request, baseline=_operator(str(request.baseline), printed))
    reading = read(runs, request.baseline)
    frame = reading.frame
    columns = [str(name) for name in frame.columns]
    shown, by, order = (by_headings(names, columns) for names in (request.columns, request.by, request.order))
    request = replace(request, columns=shown, by=by, order=order)
    _check_names(request, columns)
    wanted = [conditions.parse(text, columns, printed=printed) for text in conditions.apart(request.filters)]
    if request.baseline == peers.PEERS:  # every other row is compared with one of theirs
        frame = frame[~peers.is_peer(frame)]
    frame, notes = conditions.keep(frame, wanted)
    manifests = [run.manifest for run in runs]
    notes += tuple(f"the runs are of machines that differ: {text}" for text in differences(manifests))
    keys = [key for key in request.by if key not in SUBJECT]
    frame = frames.sort(frame, request.order or keys)
    pair = None
    if (len(runs) == 2 and request.baseline is None and request.changes) or any(gate.relative for gate in asked):
        if len(runs) != 2:
            raise UsageError(
                f"--fail-if {_relative(asked)} compares two runs; given: {len(runs)}. Allowed: BEFORE AFTER"
            )
        labels = frames.run_labels(runs)
        found = before_after.pair(frame, labels)
        if found.before.empty and any(gate.relative for gate in asked):
            raise UsageError(f"--fail-if {_relative(asked)}: {found.nothing_common()}, so there is nothing to judge")
        if found.before.empty:
            notes += (f"{found.nothing_common()}; each stands on its own",)
        else:
            pair = found
            notes += found.notes(labels)
    brief = (*notes, *sentences.of_these(reading, frame, request.columns))
    ratios = map(plain, sentences.ratios(reading)) if request.has_ratios else ()
    notes += (*sentences.of_reading(reading), *ratios, *sentences.of_rows(reading, frame, request.columns))
    view = View(runs, request, frame, notes, reading, pair)
    outcomes = tuple(_outcome(view, gate) for gate in asked)
    return View(runs, request, frame, (*notes, *(one.sentence for one in outcomes)), reading, pair, outcomes, brief)


def _outcome(view: View, gate: gates.Gate) -> Outcome:
    if not gate.relative:
        rows = view.frame
        if len(view.runs) > 1:
            rows = rows[(rows[RUN] == frames.run_labels(view.runs)[-1]).fillna(False).astype(bool)]
        if rows.empty:
            raise UsageError(f"--fail-if {gate.text}: there is no row to judge")
        return gates.check_value(gate, rows, apart(rows))
    assert view.pair is not None
    differ = hardware_differences([run.manifest for run in view.runs])
    outcome = gates.check_change(gate, view.pair, view.change(gate.name), apart(view.pair.before), differ)
    gone, new = (part[part[gate.name].notna()] for part in (view.pair.gone, view.pair.new))
    more = new[new["case"].isin(view.pair.before["case"])]  # of a case that stands once more after
    alone = [
        f"{name} ({word})" for part, word in ((gone, "only before"), (more, "once more after")) for name in apart(part)
    ]
    return replace(outcome, unclear=(*outcome.unclear, *alone))


def _left_out(hidden: NDArray[np.bool_]) -> list[str]:
    count = int(hidden.sum())
    return [f"{units.whole(count)} variant{'s' * (count > 1)} not shown (compare --variants)"] if count else []


def _shown(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """The measures that the table will show and that may be better or worse."""
    wanted = SHOWN if EVERY in columns else columns or (*MEASURES, *SCORES)
    return [name for name in wanted if name in frame and name in SHOWN and SHOWN[name].better]


def _operator(text: str, printed: conditions.Typed) -> str:
    """What is typed for an operator, with its options or at its defaults, that tables call so."""
    options = conditions.as_typed(text, printed["options"], f"--baseline {text}")
    return options if options != text else conditions.as_typed(text, printed["operator"], f"--baseline {text}")


def _relative(asked: Sequence[gates.Gate]) -> str:
    return next(gate.text for gate in asked if gate.relative)


def _check_names(request: Request, columns: Sequence[str]) -> None:
    for name in (*request.columns, *request.by):
        if name not in (*columns, frames.SEEDS, EVERY):
            raise unknown("column", name, columns)
