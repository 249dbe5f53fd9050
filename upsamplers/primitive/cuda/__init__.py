"""wᵀz on NVIDIA GPUs, by Triton; `backend` has the primitives."""
