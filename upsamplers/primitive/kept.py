"""Results that are kept under all that they depend on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

MOST = 1024
"""Results that are kept in one place where nothing else is said."""


class Kept(Generic[Key, Value]):
    """Results that together weigh at most so much, by default one each; the oldest go first. Threads may share them."""

    def __init__(self, most: int = MOST, weigh: Callable[[Any], int] = lambda value: 1) -> None:
        self.most, self._weigh = most, weigh
        self._results: dict[Key, Value] = {}
        self._lock = threading.Lock()
        self.get = self._results.get

    def keep(self, key: Key, value: Value) -> Value:
        """Keep a result, and let the oldest go where there are too many."""
        with self._lock:
            self._results.pop(key, None)
            self._results[key] = value
            weight = sum(map(self._weigh, self._results.values()))
            while weight > self.most:
                weight -= self._weigh(self._results.pop(next(iter(self._results))))
        return value

    def clear(self) -> None:
        """Forget every result."""
        with self._lock:
            self._results.clear()

    def __len__(self) -> int:
        return len(self._results)
