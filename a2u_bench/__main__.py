"""`python -m a2u_bench` is `a2u-bench`."""

from __future__ import annotations

import sys

from a2u_bench.cli import main

if __name__ == "__main__":
    sys.exit(main())
