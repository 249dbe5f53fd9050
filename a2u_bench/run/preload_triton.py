"""What Triton works out once in each process before its first kernel: a digest of itself, of 400 MB, takes a second.

No CUDA is touched: a process that has touched it cannot be forked.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module

with suppress(ImportError):
    import triton.backends  # finds the compilers of each kind of GPU
    import triton.compiler  # noqa: F401

for name in ("triton.runtime.cache", "triton.compiler.compiler"):  # newer, older
    with suppress(ImportError, AttributeError, OSError):
        import_module(name).triton_key()
        break
