"""Operators that only the bench has: given kernels, known costs, parts of A2U taken out."""
