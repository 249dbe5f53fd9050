"""Results that are kept under all that they depend on."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

MOST = 1024
"""Results that are kept in one place; the oldest goes first."""


class Kept(Generic[Key, Value]):
    """At most MOST results; threads may share them."""

    def __init__(self) -> None:
        self._results: dict[Key, Value] = {}
        self._lock = threading.Lock()
        self.get = self._results.get

    def keep(self, key: Key, value: Value) -> Value:
        """Keep a result, and let the oldest go where there are too many."""
        with self._lock:
            while len(self._results) >= MOST:
                del self._results[next(iter(self._results))]
            self._results[key] = value
        return value

    def clear(self) -> None:
        """Forget every result."""
        with self._lock:
            self._results.clear()

    def __len__(self) -> int:
        return len(self._results)
