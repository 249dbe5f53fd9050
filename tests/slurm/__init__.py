"""A real Slurm on this machine, for the tests: its daemons, configuration, key and state are in one folder."""
