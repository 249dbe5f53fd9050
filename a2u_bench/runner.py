"""The runner: from a plan to rows, block by block. Whatever ends it, finished rounds and rows are stored already."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from a2u_bench.block import Block, Sample
from a2u_bench.errors import Unwritten
from a2u_bench.listener import Listener, Silence
from a2u_bench.plan import Plan, blocks
from a2u_bench.pool import Processes, Workers
from a2u_bench.record import make_row

if TYPE_CHECKING:
    from a2u_bench.store import Store

Row = dict[str, Any]


def run(
    plan: Plan,
    store: Store | None = None,
    listener: Listener | None = None,
    *,
    workers: Workers | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> list[Row]:
    """Measure every case of the plan that the store has no row for; the new rows, in the order of the plan.

    Samples are appended after every round, rows when their block ends. One bad case costs no other its row. Raises
    Unwritten, with the rows measured so far, where the store cannot write; KeyboardInterrupt passes through after
    the processes are ended.
    """
    return _Run(plan, store, listener or Silence(), workers or Processes(), clock).all()


@dataclass
class _Run:
    plan: Plan
    store: Store | None
    listener: Listener
    workers: Workers
    clock: Callable[[], float]
    rows: list[Row] = field(default_factory=list)

    def all(self) -> list[Row]:
        finished = self.store.finished if self.store else set()
        waiting = [b for b in self._blocks(finished) if b]
        self.listener.planned(self.plan, len(finished & {case.id for case in self.plan.cases}))
        self._write_rows(
            [make_row(s.case, "skipped", s.reason, {}) for s in self.plan.skipped if s.case.id not in finished]
        )
        end = self.clock() + self.plan.settings.time_budget
        left = sum(len(cases) for cases in waiting)
        for cases in waiting:
            now = self.clock()
            share = max(0.0, end - now) * len(cases) / left
            left -= len(cases)
            self._block(cases, now + share, end)
        return self.rows

    def _blocks(self, finished: set[str]) -> Iterator[list[Any]]:
        # Blocks of the whole plan, so that a resumed case meets the same neighbours.
        for cases in blocks(self.plan.cases):
            yield [case for case in cases if case.id not in finished]

    def _block(self, cases: list[Any], deadline: float, end: float) -> None:
        done = len(self.rows)

        def progress(part: float) -> None:
            self.listener.round_done(done + part * len(cases), max(0.0, end - self.clock()))

        block = Block(cases, self.plan.settings, self.workers, self.clock, self._keep, self.listener.doing, progress)
        if self.store:
            for case in cases:
                block.take_up(self.store.rounds.get(case.id, ()))
        try:
            block.run(deadline)
        except OSError as error:
            raise Unwritten(_why(error), self.rows + block.rows()) from error
        self._write_rows(block.rows())

    def _keep(self, samples: list[Sample]) -> None:
        if self.store:
            self.store.append_samples(samples)

    def _write_rows(self, rows: list[Row]) -> None:
        for index, row in enumerate(rows):
            if self.store:
                try:
                    self.store.append_row(row)
                except OSError as error:
                    raise Unwritten(_why(error), self.rows + rows[index:]) from error
            self.rows.append(row)
            self.listener.row_done(row)


def _why(error: OSError) -> str:
    return f"cannot write results: {error.strerror or error}"
