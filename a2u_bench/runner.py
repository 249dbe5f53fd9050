"""The runner: from a plan to rows. Whatever ends it, finished rounds and rows are stored already.

Blocks take turns, one process each, there and back: so the processes of any two cases lie close in time, and a
machine that slows down in the middle of a run slows every block alike.
"""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from a2u_bench.block import Block, Sample
from a2u_bench.drift import drift
from a2u_bench.errors import Unwritten
from a2u_bench.listener import Listener, Silence
from a2u_bench.paces import Place
from a2u_bench.plan import Plan, blocks
from a2u_bench.pool import Processes, Workers
from a2u_bench.record import make_row
from a2u_bench.spec import Case

if TYPE_CHECKING:
    from a2u_bench.store import Store

Row = dict[str, Any]

OVERRUN, GRACE = 2.0, 60.0
"""Times the time budget, but at least so many seconds: what is not measured by then will not be. Until then a slow or
loaded machine may still come to the fewest processes that an interval needs. A budget of 0 has no such end: it asks
for the least that can be measured, however long that takes."""

EXAMINING = 0.75
"""The share of that time after which no further case is examined, so that those that were can be timed."""


def run(
    plan: Plan,
    store: Store | None = None,
    listener: Listener | None = None,
    *,
    workers: Workers | None = None,
    clock: Callable[[], float] = time.monotonic,
    examine: bool = True,
    paces: Mapping[Place, Sequence[float]] | None = None,
) -> list[Row]:
    """Measure every case of the plan that the store has no row for; the new rows, in the order of the plan.

    Samples are appended after every round, rows when their block and those before it end. One bad case costs no other
    its row. Raises Unwritten, with the rows measured so far, where the store cannot write; KeyboardInterrupt passes
    through after the processes are ended. `examine`: check each case, and measure more than its latency. `paces`: those
    of earlier runs on this machine, in seconds, which say how far an interval must reach.
    """
    return _Run(plan, store, listener or Silence(), workers or Processes(), clock, examine, paces or {}).all()


@dataclass
class _Run:
    plan: Plan
    store: Store | None
    listener: Listener
    workers: Workers
    clock: Callable[[], float]
    examine: bool
    paces: Mapping[Place, Sequence[float]]  # of earlier runs
    rows: list[Row] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)  # those whose rows are not written
    end: float = 0.0  # of the time budget
    known: dict[tuple[str, int], dict[str, Any] | None] = field(default_factory=dict)  # ceilings by device and threads
    node: str = field(default_factory=platform.node)
    timed: list[Block] = field(default_factory=list)  # every block of the run: they have met the machine's paces

    def all(self) -> list[Row]:
        finished = self.store.finished if self.store else set()
        self.listener.planned(self.plan, len(finished & {case.id for case in self.plan.cases}))
        self.blocks = list(self._blocks(finished))
        self.timed = list(self.blocks)
        skipped = [make_row(s.case, s.status, s.reason, {}) for s in self.plan.skipped if s.case.id not in finished]
        budget, begin = self.plan.settings.time_budget, self.clock()
        self.end = begin + budget
        longest = max(OVERRUN * budget, GRACE) if budget > 0 else math.inf
        try:
            self._write(skipped)
            for block in self.blocks if self.examine else ():
                block.ceilings = self._ceilings(block)
                block.examine(begin + EXAMINING * longest)
            if self.store and self.blocks:
                compiling = sum(block.compiling for block in self.blocks)
                examining = sum(block.examining for block in self.blocks) - compiling
                self.store.write_manifest({"examining": round(examining, 3), "compiling": round(compiling, 3)})
            self._time(begin + longest)
            if self.store and self.timed:
                met = [{"device": d, "threads": t, "seconds": seconds} for (d, t), seconds in self._met().items()]
                self.store.write_manifest({"paces": met})
        except OSError as error:
            why = f"cannot write results: {error.strerror or error}"
            raise Unwritten(why, self._measured(skipped)) from error
        return self.rows

    def _blocks(self, finished: set[str]) -> Iterator[Block]:
        # Blocks of the whole plan, so that a resumed case meets the same neighbours.
        for cases in blocks(self.plan.cases, self.plan.settings.block):
            left = [case for case in cases if case.id not in finished]
            if left:
                yield self._block(left)

    def _block(self, cases: list[Case]) -> Block:
        block = Block(
            cases, self.plan.settings, self.workers, self.clock, self._keep, self.listener.doing, self._progress
        )
        if self.store:
            for case in cases:
                block.take_up(self.store.rounds.get(case.id, ()))
        return block

    def _ceilings(self, block: Block) -> dict[str, Any] | None:
        """What the machine can do with a block's device and threads; measured once, kept in the manifest."""
        place = _place(block)
        if place not in self.known:
            stored = (self.store.manifest if self.store else {}).get("ceilings", ())
            own = [entry for entry in stored if entry.get("node", self.node) == self.node]  # a gathered run has others
            self.known = {(entry["device"], entry["threads"]): entry for entry in own} | self.known
        if place not in self.known:
            dtypes = dict.fromkeys(case.dtype for case in self.plan.cases if (case.device, case.threads) == place)
            self.known[place] = self.workers.ceilings(*place, list(dtypes))
            if self.store:
                others = [entry for entry in self.store.manifest.get("ceilings", ()) if entry not in own]
                self.store.write_manifest({"ceilings": [*others, *filter(None, self.known.values())]})
        return self.known[place]

    def _time(self, latest: float) -> None:
        """Turns of all blocks until every one is over."""
        least, begin = self.plan.settings.processes, self.clock()
        number = 1 + (self.store.last_process if self.store else -1)
        cases = sum(len(block.alive) for block in self.blocks)
        fair = max(0.0, self.end - begin) / max(1, least * cases)  # seconds of each case in each process
        forward = True
        while waiting := self._waiting(latest, fair):
            for index, block in enumerate(order := waiting if forward else waiting[::-1]):
                now = self.clock()
                if now >= latest:
                    break
                # What is left is shared by this turn, the rest of this pass, and the passes that must follow.
                turns = sum(
                    len(other.alive) * max(place >= index, least - other.done) for place, other in enumerate(order)
                )
                share = max(0.0, self.end - now) / max(1, turns)
                block.turn(number, len(block.alive) * (share if block.done < least else min(share, fair)), latest)
                number += 1
            forward = not forward

    def _waiting(self, latest: float, fair: float) -> list[Block]:
        """The blocks that are not over. Rows of those that are get written, in the order of the plan.

        It is late where what is left of the budget would give each of them less than half a `fair` share.
        """
        now = self.clock()
        if now >= latest:
            for block in self.blocks:
                block.give_up()
        needed = fair / 2 * sum(len(block.alive) for block in self.blocks)
        late = now + needed >= self.end
        waiting = [block for block in self.blocks if now < latest and not block.is_over(late)]
        while self.blocks and self.blocks[0] not in waiting:
            self._write(self._rows(self.blocks[0]))
            self.blocks.pop(0)
        return waiting

    def _rows(self, block: Block) -> list[Row]:
        """What a block came to; its intervals reach as far as the paces do that this machine has shown."""
        known = self._met()
        place = _place(block)
        block.drift = drift(block.pace, [*self.paces.get(place, ()), *known.get(place, ())])
        return block.rows()

    def _met(self) -> dict[Place, list[float]]:
        """The pace in each process so far, by device and threads."""
        found: dict[Place, list[float]] = {}
        for block in self.timed:
            found.setdefault(_place(block), []).extend(block.paces)
        return found

    def _keep(self, samples: list[Sample]) -> None:
        if self.store:
            self.store.append_samples(samples)

    def _write(self, rows: list[Row]) -> None:
        for row in rows:
            row["node"] = self.node
            if self.store:
                self.store.append_row(row)
            self.rows.append(row)
            self.listener.row_done(row)

    def _measured(self, skipped: list[Row]) -> list[Row]:
        """Every row that there is, written or not."""
        rows = [*self.rows, *skipped, *(row for block in self.blocks for row in self._rows(block))]
        return list({row["case"]: row for row in rows}.values())

    def _progress(self) -> None:
        part = sum(block.part * len(block.cases) for block in self.blocks)
        self.listener.round_done(len(self.rows) + part, max(0.0, self.end - self.clock()))


def _place(block: Block) -> Place:
    return block.cases[0].device, block.cases[0].threads
