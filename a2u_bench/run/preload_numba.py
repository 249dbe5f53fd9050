"""The types that numba knows, learnt before processes fork rather than at the first kernel that each reads."""

from __future__ import annotations

from contextlib import suppress

with suppress(ImportError, AttributeError):  # another numba may keep them elsewhere, and then learns them when asked
    from numba.core import registry

    registry.cpu_target.typing_context.refresh()
    registry.cpu_target.target_context.refresh()
