"""The command line `otklik`: runs services, and keeps a whole local installation up."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

from deploy.local.errors import LocalRunError


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 done, 1 something is wrong and said so."""
    chosen = _parser().parse_args(arguments)
    try:
        code: int = chosen.act(chosen)
    except LocalRunError as error:
        print(f"otklik: {error}", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="otklik", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start everything on this machine and wait until it is ready")
    up.add_argument("--foreground", action="store_true", help="stay, and stop everything on Ctrl-C")
    up.set_defaults(act=_up)
    for name, act, text in (
        ("down", _down, "stop everything"),
        ("status", _status, "what runs, since when, and whether it is ready"),
        ("logs", _logs, "follow all logs"),
    ):
        commands.add_parser(name, help=text).set_defaults(act=act)
    brings = commands.add_parser("import", help="bring a CSV, XLSX or JSONL file in, with a preview and a progress bar")
    brings.add_argument("file", help="the file")
    brings.add_argument("--mapping", help="a mapping (YAML or JSON), or the name of a ready one; without it one is suggested")
    brings.add_argument("--preview", action="store_true", help="show what it would become, and stop")
    brings.add_argument("--url", help="of the gateway; the local run's without it")
    brings.add_argument("--key", help="an API key with the scope `write`; else OTKLIK_API_KEY, or the local run's")
    brings.set_defaults(act=_import)
    publishes = commands.add_parser("publish", help="publish documents of YAML files: journeys, connectors, bots, topics, rules")
    publishes.add_argument(
        "files", nargs="+", help="such as docs/mechanics/welcome/welcome.yaml; all of them are published, or none"
    )
    publishes.add_argument("--brand", help="in place of the brand `shop` of the ready documents")
    publishes.add_argument("--url", help="of the gateway; the local run's without it")
    publishes.add_argument("--key", help="an API key with the scope `publish`; else OTKLIK_API_KEY, or the local run's")
    publishes.set_defaults(act=_publish)
    anew = commands.add_parser("rebuild", help="make derived state anew in an empty database, and compare it with the live one")
    anew.add_argument("--into", help="name of that database; the live one's with _rebuilt behind it without it")
    anew.add_argument("--wait", type=float, default=60, help="seconds that the lake may take to have what live has (60)")
    anew.add_argument("--out", type=Path, help="a file for all that differs, as JSON lines of ids")
    anew.add_argument(
        "--mend", action="store_true", help="give people who differ the state that was made anew; the segmenter must stand"
    )
    anew.add_argument("--keep", action="store_true", help="leave that database there to be looked at")
    anew.set_defaults(act=_rebuild)
    run = commands.add_parser("run", help="run one service, or all in one process")
    run.add_argument("service", help="name of a service, or `all`")
    run.set_defaults(act=_run)
    return parser


def _up(chosen: argparse.Namespace) -> int:
    from deploy.local import run
    from deploy.local.addresses import addresses
    from deploy.local.settings import LocalSettings

    settings = LocalSettings.from_environment()
    if not chosen.foreground:
        fresh = run.up(settings)
        print(addresses(run.recorded(settings)) if fresh else f"already running\n{addresses(run.recorded(settings))}")
        return 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    try:
        run.up(settings)
        print(f"{addresses(run.recorded(settings))}\nCtrl-C stops everything", flush=True)
        run.wait(settings)
        raise LocalRunError(f"supervisord has ended by itself: see {settings.logs}/supervisord.log")
    except KeyboardInterrupt:
        print("stopping")
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it behind
        run.down(settings)
    return 0


def _leave(_number: int, _frame: FrameType | None) -> None:
    """Raises, and sets no Event: its lock may be held by the very wait that the signal broke into."""
    raise KeyboardInterrupt


def _down(_chosen: argparse.Namespace) -> int:
    from deploy.local import run
    from deploy.local.settings import LocalSettings

    run.down(LocalSettings.from_environment())
    return 0


def _status(_chosen: argparse.Namespace) -> int:
    from deploy.local import run
    from deploy.local.addresses import table
    from deploy.local.settings import LocalSettings

    rows = run.status(LocalSettings.from_environment())
    print(table(rows))
    if any(row.state == "UNSUPERVISED" for row in rows):
        print("the supervisor was killed and left processes behind: `make up` begins afresh, `make down` ends them")
    return 0


def _logs(_chosen: argparse.Namespace) -> int:
    from deploy.local.settings import LocalSettings

    logs = LocalSettings.from_environment().logs
    files = sorted(str(path) for path in logs.glob("*.log"))
    if not files:
        raise LocalRunError(f"there are no logs in {logs} yet: run `make up`")
    os.execvp("tail", ["tail", "-n", "20", "-F", *files])  # noqa: S606 - no shell is what we want


def _publish(chosen: argparse.Namespace) -> int:
    from deploy import publishing

    return publishing.run([Path(file) for file in chosen.files], chosen.brand, url=chosen.url, key=chosen.key)


def _import(chosen: argparse.Namespace) -> int:
    from deploy import importing

    mapping = Path(chosen.mapping) if chosen.mapping else None
    return importing.run(Path(chosen.file), mapping, only_preview=chosen.preview, url=chosen.url, key=chosen.key)


def _rebuild(chosen: argparse.Namespace) -> int:
    from deploy.rebuilding import run

    return run.run(chosen.into, chosen.wait, chosen.out, mend=chosen.mend, keep=chosen.keep)


def _run(chosen: argparse.Namespace) -> int:
    """A service runs until a signal ends it."""
    from deploy.local.settings import HOSTED, SERVICES

    there = [name for name in (*SERVICES, *HOSTED) if find_spec(f"services.{name}")]
    if chosen.service not in (*there, "all"):
        raise LocalRunError(f"there is no service {chosen.service!r}; there are: {', '.join(there) or 'none yet'}, or all")
    hosted = [name for name in there if HOSTED.get(name) == chosen.service]
    names = there if chosen.service == "all" else [chosen.service, *hosted]
    import_module("runtime.process").main([import_module(f"services.{name}.__main__").service() for name in names])
    return 0


if __name__ == "__main__":
    sys.exit(main())
