"""wᵀz on the CPU, by numba; `backend` has the primitives."""
