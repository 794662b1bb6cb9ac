"""Places where a test may kill or freeze the process: between all steps of every loop, from the first day.

A random kill -9 almost never lands between two steps, so a wrong loop survives it. A chaos run arms a point by creating a file
`<service>.<point>` holding `kill` or `stop` in the folder of OTKLIK_FAILPOINTS; the process that takes the file (an atomic rename)
writes it to `hits` and ends or freezes there. Without that setting a point costs one attribute test.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path

Failpoint = Callable[[str], None]


def quiet(_point: str) -> None:
    """No failpoints: production."""


def armed(folder: Path, service: str) -> Failpoint:
    """Failpoints of one service, armed by files in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)

    def reach(point: str) -> None:
        name = f"{service}.{point}"
        path = folder / name
        if not path.exists():
            return
        taken = folder / f"taken.{name}.{os.getpid()}"
        try:
            path.rename(taken)
        except FileNotFoundError:
            return  # another process of the service was faster
        action = taken.read_text().strip()
        with (folder / "hits").open("a") as hits:
            hits.write(f"{name} {action} {os.getpid()}\n")
        taken.unlink()
        os.kill(os.getpid(), signal.SIGSTOP if action == "stop" else signal.SIGKILL)

    return reach


def build(folder: Path | None, service: str) -> Failpoint:
    return armed(folder, service) if folder else quiet


# Every point of the machine that each service passes; services add their own. The chaos run hits each at least three times.
LOOP = ("fetched", "locked", "handled", "before_commit", "after_commit", "hinted")
TIMERS = ("timers_locked", "timers_before_commit", "timers_after_commit")
RELAY = ("relay_read", "relay_sent", "relay_deleted")
