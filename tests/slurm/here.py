"""Starts munge and Slurm as processes of the test, on free ports, and ends them by their ids."""

from __future__ import annotations

import os
import platform
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TOOLS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "srun")
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
PATIENCE = 60.0


class NoSlurm(Exception):
    """Slurm cannot be had here; the message says why."""


@contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """The environment in which Slurm's commands find a cluster of one node. NoSlurm where none starts."""
    missing = [tool for tool in TOOLS if shutil.which(tool, path=PATH) is None]
    if missing:
        raise NoSlurm(f"not installed: {', '.join(missing)}")
    if os.getuid() != 0:
        raise NoSlurm("only root can start its daemons")
    folder.chmod(0o755)  # munge looks at who may change its folders
    configuration = folder / "slurm.conf"
    configuration.write_text(_configuration(folder))
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    environment = {**os.environ, "PATH": PATH, "SLURM_CONF": str(configuration)}
    files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    munged = ["munged", "--foreground", "--force", *(f"--{name}={folder}/munge.{end}" for name, end in files.items())]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for command in (munged, ["slurmctld", "-D", "-c"], ["slurmd", "-D"]):
            with (folder / f"{command[0]}.out").open("wb") as log:
                started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
            if command is munged:
                _await(lambda: (folder / "munge.socket").exists(), started, folder)
        _await(lambda: _is_idle(environment), started, folder)
        yield environment
    finally:
        for process in reversed(started):
            process.terminate()
        for process in reversed(started):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _configuration(folder: Path) -> str:
    text = (Path(__file__).parent / "slurm.conf.in").read_text()
    ports = _free_ports(2)
    values = {
        "HOST": platform.node(),
        "FOLDER": str(folder),
        "CPUS": str(os.cpu_count()),
        "CONTROLLER_PORT": str(ports[0]),
        "NODE_PORT": str(ports[1]),
    }
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _is_idle(environment: dict[str, str]) -> bool:
    done = subprocess.run(["sinfo", "-h", "-o", "%T"], env=environment, capture_output=True, text=True)
    return done.stdout.strip() == "idle"


def _await(happens, started: list[subprocess.Popen[bytes]], folder: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not happens():
        dead = [process for process in started if process.poll() is not None]
        if dead or time.monotonic() > end:
            said = " / ".join(path.read_text(errors="replace")[-300:] for path in sorted(folder.glob("*.out")))
            raise NoSlurm(f"its daemons do not start: {said}")
        time.sleep(0.1)
