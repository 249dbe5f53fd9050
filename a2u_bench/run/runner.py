"""The runner: from a plan to rows. Whatever ends it, finished rounds and rows are stored already.

Blocks take turns, one process each, there and back: so the processes of any two cases lie close in time, and a
machine that slows down in the middle of a run slows every block alike. Each pass has a forkserver of its own: what is
forked from one shares its addresses, and with them a speed, which would be taken for the operators'.
"""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from a2u_bench.case import Case
from a2u_bench.columns import BUDGET, make_row
from a2u_bench.errors import BenchError, Unwritten
from a2u_bench.run.block import Block, Shared
from a2u_bench.run.examine import Examination
from a2u_bench.run.process import CaseEnded
from a2u_bench.run.processes import Processes, Workers
from a2u_bench.run.progress import Listener, Silence
from a2u_bench.run.samples import Taken
from a2u_bench.run.schedule import arrange, beside, longest
from a2u_bench.suites.plan import Plan

if TYPE_CHECKING:
    from a2u_bench.store.write import Store

Row = dict[str, Any]

LATE = "the time of the run was over before it was timed"


def run(
    plan: Plan,
    store: Store | None = None,
    listener: Listener | None = None,
    *,
    workers: Workers | None = None,
    clock: Callable[[], float] = time.monotonic,
    examine: bool = True,
) -> list[Row]:
    """Measure every case of the plan that the store has no row for; the new rows, in the order of the plan.

    Samples are appended after every round, rows when their block and those before it end. One bad case costs no other
    its row. Raises Unwritten, with the rows measured so far, where the store cannot write; KeyboardInterrupt passes
    through after the processes are ended. `examine`: check each case, and measure more than its latency.
    """
    return _Run(
        plan, store, listener or Silence(), workers or Processes(plan.devices, plan.gradients), clock, examine
    ).all()


@dataclass
class _Run:
    plan: Plan
    store: Store | None
    listener: Listener
    workers: Workers
    clock: Callable[[], float]
    examine: bool
    rows: list[Row] = field(default_factory=list)
    left: list[Case] = field(default_factory=list)  # without a row, in the order of the plan
    blocks: list[Block] = field(default_factory=list)
    measures: dict[str, dict[str, Any]] = field(default_factory=dict)
    known: dict[tuple[str, int], dict[str, Any] | None] = field(default_factory=dict)  # ceilings by device and threads
    unknown: dict[tuple[str, int], str] = field(default_factory=dict)  # why there are none, as a note of a row
    node: str = field(default_factory=platform.node)
    latest: float = 0.0  # by the clock: what is not timed by then will not be

    def __post_init__(self) -> None:
        settings, listener = self.plan.settings, self.listener
        self.shared = Shared(settings, self.workers, self.clock, self._keep, listener.doing, self._progress)

    def all(self) -> list[Row]:
        finished = self.store.finished if self.store else set()
        skipped = [make_row(s.case, s.status, s.reason, {}) for s in self.plan.skipped if s.case.id not in finished]
        self.left = [case for case in self.plan.cases if case.id not in finished]
        self.listener.planned(len(skipped) + len(self.left), len(skipped) + len(self.left))
        try:
            for row in skipped:
                self._write(row)
            if self.left:
                known = self._prepare()
                sound = [case for case in self.left if case.id not in self.shared.ended]
                self.latest = self.clock() + longest(self.plan.settings)
                renewing = self._renew() if sound else 0.0
                self.blocks = [
                    Block(share, next(iter(beside(self.plan, share.cases[0])), None), self.shared)
                    for share in arrange(sound, self.plan, known.costs, known.starts, renewing)
                ]
                self._time(renewing)
        except OSError as error:
            why = f"cannot write results: {error.strerror or error}"
            raise Unwritten(why, self._measured(skipped)) from error
        return self.rows

    def _prepare(self) -> Examination:
        """Examine what is left, and the references, which may have rows of an earlier run."""
        subjects = list(dict.fromkeys([*self.left, *(case for one in self.left for case in beside(self.plan, one))]))
        for case in subjects:
            self.shared.taken[case.id] = taken = Taken()
            for sample in self.store.rounds.get(case.id, ()) if self.store else ():
                taken.add(sample)
        found = Examination(self.shared, self._ceilings)
        if self.examine:
            found.run(subjects)
            self.measures = found.measures
            if self.store:
                self.store.write_manifest(found.to_manifest())
        return found

    def _ceilings(self, case: Case) -> dict[str, Any] | None:
        """What the machine can do with a case's device and threads; measured once, kept in the manifest.

        Where that fails no other try is made, and the row of each case that has no floor for it says why. What a
        run that goes on knows of fewer dtypes is measured anew.
        """
        place = case.device, case.threads
        dtypes = dict.fromkeys(case.dtype for case in self.plan.cases if (case.device, case.threads) == place)
        stored = (self.store.manifest if self.store else {}).get("ceilings", ())
        others = [entry for entry in stored if entry.get("node", self.node) != self.node]  # of a gathered run
        if place not in self.known:
            own = [entry for entry in stored if entry not in others]
            self.known = {(entry["device"], entry["threads"]): entry for entry in own} | self.known
        known = self.known.get(place, {})
        if known is not None and not dtypes.keys() <= known.get("matrix", {}).keys():
            try:
                self.known[place] = self.workers.ceilings(*place, list(dtypes))
            except (CaseEnded, BenchError) as error:
                why = error.reason if isinstance(error, CaseEnded) else str(error)
                self.known[place] = None
                self.unknown[place] = f"no speed of light ({re.sub('[:;]', ',', why)})"  # which end parts of a note
            if self.store:
                self.store.write_manifest({"ceilings": [*others, *filter(None, self.known.values())]})
        if place in self.unknown and case.mode == "inference":
            self.shared.taken[case.id].notes[self.unknown[place]] = None
        return self.known[place]

    def _renew(self) -> float:
        """Seconds in which a new forkserver started."""
        begin = self.clock()
        self.workers.renew()
        return self.clock() - begin

    def _time(self, renewing: float) -> None:
        """Turns of all blocks until every one is over; the first forkserver took so many seconds."""
        number = 1 + (self.store.last_process if self.store else -1)
        waiting, forward = self._waiting(), True
        while waiting:
            for block in waiting:
                block.wait(renewing / len(waiting))
            for block in waiting if forward else waiting[::-1]:
                if self.clock() < self.latest:
                    block.time(number, self.latest)
                    number += 1
            forward = not forward
            if waiting := self._waiting():
                renewing = self._renew()

    def _waiting(self) -> list[Block]:
        """The blocks that are not over. Rows of what they do not time any more get written, in the plan's order."""
        late = self.clock() >= self.latest
        for block in self.blocks:
            block.is_over = late or block.is_enough()
        waiting = [block for block in self.blocks if not block.is_over]
        busy = {case.id for block in waiting for case in (*block.cases, *beside(self.plan, block.cases[0]))}
        while self.left and self.left[0].id not in busy:
            self._write(self._row(self.left[0]))
            self.left.pop(0)
        return waiting

    def _row(self, case: Case) -> Row:
        """What a case came to; where the time of the run was over before it, `stopped` says so."""
        measures = dict(self.measures.get(case.id, {}))
        end, taken = self.shared.ended.get(case.id), self.shared.taken[case.id]
        if end is not None:
            return make_row(case, end.status, end.reason, measures)
        if not taken.warm:
            return make_row(case, "timeout", LATE, {**measures, "stopped": BUDGET})
        block = next(block for block in self.blocks if case in block.cases or case == block.reference)
        return make_row(case, "ok", "", {**measures, **taken.columns(), "stopped": block.stopped_by(case)})

    def _keep(self, samples: list[dict[str, Any]]) -> None:
        if self.store:
            self.store.append_samples(samples)

    def _write(self, row: Row) -> None:
        row["node"] = self.node
        if self.store:
            self.store.append_row(row)
        self.rows.append(row)
        self.listener.row_done(row)

    def _measured(self, skipped: list[Row]) -> list[Row]:
        """Every row that there is, written or not."""
        taken, ended = self.shared.taken, self.shared.ended
        there = [case for case in self.left if case.id in ended or taken.get(case.id, Taken()).warm]
        rows = [*self.rows, *skipped, *(self._row(case) for case in there if self.blocks)]
        return list({row["case"]: row for row in rows}.values())

    def _progress(self) -> None:
        done = sum(len(block.cases) * block.part for block in self.blocks)
        left = min(sum(block.left for block in self.blocks), max(0.0, self.latest - self.clock()))
        self.listener.advanced(done, left, "timing")
