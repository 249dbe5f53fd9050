"""Measuring outside this process: several jobs on this machine, or a Slurm cluster, gathered into one run."""
