"""CPU seconds of every process of a run, by program: from /proc, children included."""

import os
from collections.abc import Mapping
from pathlib import Path

import psutil

from deploy.local import processes

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(home: Path) -> dict[str, float]:
    """Program -> CPU seconds so far. PostgreSQL's backends are summed, those that ended are in their parent's children time."""
    found: dict[str, float] = {}
    for process in _tree(processes.of_run(home)):
        try:
            times = process.cpu_times()
            name = _name(process)
        except psutil.Error:
            continue
        # A child that has ended counts in its parent's children time; a living one for itself.
        found[name] = found.get(name, 0.0) + times.user + times.system + times.children_user + times.children_system
    return found


def _tree(roots: list[psutil.Process]) -> list[psutil.Process]:
    """The processes and their children: PostgreSQL's backends write over the environment that marks a run."""
    found = {process.pid: process for process in roots}
    for process in roots:
        try:
            found.update({child.pid: child for child in process.children(recursive=True)})
        except psutil.Error:
            continue
    return list(found.values())


def _name(process: psutil.Process) -> str:
    command = " ".join(process.cmdline())
    if "kafka.Kafka" in command:
        return "kafka"
    if "postgres" in command.split(" ")[0] or command.startswith("postgres:"):
        return "postgres"
    for part in ("deploy.cli run ", "deploy.local.catcher", "supervisord", "bench.sink"):
        if part in command:
            return command.partition(part)[2].split(" ")[0] if part.endswith(" ") else part.rpartition(".")[2]
    return "other"


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    return {name: round(after[name] - before.get(name, 0.0), 2) for name in sorted(after)}
