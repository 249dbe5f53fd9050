"""Each operator beside its peer, the same formula in plain PyTorch: what `--baseline peers` compares it with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from a2u_bench.columns import RATIO, SUBJECT, VERDICT
from a2u_bench.errors import UsageError
from a2u_bench.judge.verdicts import Rows
from a2u_bench.paper_names import PEERS_MODULE
from a2u_bench.store.frames import to_values, workloads

PEERS = "peers"
"""What is given in place of an operator: each one's own peer."""

COLUMNS = ("latency", RATIO, VERDICT)
"""What a run of peers shows of each operator."""


def has_peers(rows: Iterable[Mapping[str, Any]]) -> bool:
    """Whether some of these rows are of peers."""
    return any(str(row.get("options", "")).startswith(PEERS_MODULE) for row in rows)


def is_peer(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Which rows are of peers."""
    return np.asarray(frame["options"].fillna("").str.startswith(PEERS_MODULE).to_numpy(dtype=bool))


def base_of(frame: pd.DataFrame) -> Rows:
    """For each row that of its peer on its workload, -1 without one. A peer's is its own.

    UsageError where there is no peer at all.
    """
    peers = is_peer(frame)
    if not peers.any():
        raise UsageError(
            f"--baseline {PEERS}: no formula in plain PyTorch was measured here; allowed: an operator of the table. "
            "`a2u-bench run --suite peers` measures each operator beside its own"
        )
    keys = list(zip(workloads(frame, SUBJECT), map(_subject, to_values(frame["options"])), strict=True))
    found = {keys[row]: row for row in np.flatnonzero(peers)[::-1]}
    return np.array([found.get(key, -1) for key in keys], dtype=np.intp)


def _subject(options: str | None) -> tuple[str, str]:
    """What an operator and its peer have in common: `dysample:style=pl` and `a2u_bench.peers:DySample:style=pl`."""
    name, _, given = (options or "").removeprefix(PEERS_MODULE).partition(":")
    return name.replace("_", "").lower(), given
