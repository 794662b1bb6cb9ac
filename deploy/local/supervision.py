"""One supervisord per run: its configuration as text, and the few questions and orders we have for it."""

import hashlib
import os
import resource
import shlex
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ProtocolError, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from deploy.local.errors import LocalRunError
from deploy.local.processes import alive_in_run
from deploy.local.programs import Program
from deploy.local.settings import ROOT

LONGEST_SOCKET_PATH = 90  # the system takes about 104 bytes, and supervisord first adds its pid


class Supervisor:
    """The supervisord of the run in `home`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.configuration_file = home / "supervisord.conf"
        self.pid_file = home / "supervisord.pid"

    @property
    def pid(self) -> int | None:
        """Of the living supervisord, else None: a stale pid file does not count."""
        return alive_in_run(self.pid_file, self.home)

    def start(self, programs: Sequence[Program], environment: Mapping[str, str]) -> None:
        """Starts supervisord, with no program running yet. Programs inherit the environment."""
        path = socket_path(self.home)
        _own_folder(path.parent)
        path.unlink(missing_ok=True)
        self.pid_file.unlink(missing_ok=True)
        self.configuration_file.write_text(configuration(self.home, programs), encoding="utf-8")
        words = (sys.executable, "-m", "supervisor.supervisord", "-c", str(self.configuration_file))
        started = subprocess.run(
            words,
            env=dict(environment),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            capture_output=True,
            text=True,
            check=False,
        )
        if started.returncode != 0:
            raise LocalRunError(f"supervisord did not start:\n{started.stdout}{started.stderr}")

    def states(self) -> dict[str, dict[str, Any]]:
        """Program name -> supervisor's info: `statename`, `pid`, `start`, `now` (s). Empty if it does not answer."""
        try:
            with self._rpc() as rpc:
                return {info["name"]: info for info in rpc.getAllProcessInfo()}
        except (OSError, ProtocolError):
            return {}

    def start_program(self, name: str) -> None:
        """Asks for it and does not wait; one that runs already is left alone."""
        with self._rpc() as rpc:
            try:
                rpc.startProcess(name, False)
            except Fault as fault:
                if "ALREADY_STARTED" not in fault.faultString:
                    raise LocalRunError(f"{name} cannot be started: {fault.faultString}; see {self.home}/logs/{name}.log") from None

    def stop_program(self, name: str) -> None:
        """Asks for it and does not wait; one that does not run is left alone."""
        with self._rpc() as rpc:
            try:
                rpc.stopProcess(name, False)
            except Fault as fault:
                if "NOT_RUNNING" not in fault.faultString:
                    raise

    def shut_down(self) -> None:
        """Asks supervisord to stop the programs that still run, and itself; does not wait."""
        with self._rpc() as rpc:
            rpc.shutdown()

    @contextmanager
    def _rpc(self) -> Iterator[Any]:
        transport = SupervisorTransport(None, None, f"unix://{socket_path(self.home)}")
        try:
            yield ServerProxy("http://127.0.0.1", transport=transport).supervisor
        finally:
            transport.close()


def socket_path(home: Path) -> Path:
    """Inside the home; a home too long for a unix socket gets a short folder keyed by its hash."""
    path = home / "supervisor.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    key = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"otklik-{os.getuid()}-{key}" / "supervisor.sock"


def _own_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = folder.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid():
        raise LocalRunError(f"{folder} belongs to another user, so supervisord's socket cannot lie there: remove it")


def configuration(home: Path, programs: Sequence[Program]) -> str:
    """Text of supervisord.conf. Secrets are not in it: they travel in supervisord's own environment."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    head: dict[str, dict[str, object]] = {
        "unix_http_server": {"file": socket_path(home), "chmod": "0700"},
        "supervisord": {
            "logfile": home / "logs" / "supervisord.log",
            "logfile_maxbytes": "5MB",
            "logfile_backups": 1,
            "pidfile": home / "supervisord.pid",
            "directory": ROOT,
            "minfds": files,
            **({"user": "root"} if os.getuid() == 0 else {}),
        },
        "rpcinterface:supervisor": {"supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"},
    }
    return "\n".join(_section(name, lines) for name, lines in {**head, **_programs(home, programs)}.items())


def _programs(home: Path, programs: Sequence[Program]) -> dict[str, dict[str, object]]:
    return {f"program:{program.name}": _program(home, program) for program in programs}


def _program(home: Path, program: Program) -> dict[str, object]:
    lines: dict[str, object] = {
        "command": shlex.join(program.command),
        "autostart": "false",
        "autorestart": "true",
        "startsecs": 1,
        "startretries": 5,
        "stopsignal": program.stop_signal,
        "stopwaitsecs": 15,
        "stopasgroup": "true",
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": home / "logs" / f"{program.name}.log",
        "stdout_logfile_maxbytes": "20MB",
        "stdout_logfile_backups": 3,
    }
    if program.user:
        lines["user"] = program.user
    if program.environment:
        lines["environment"] = ",".join(f'{name}="{value}"' for name, value in program.environment.items())
    return lines


def _section(name: str, lines: Mapping[str, object]) -> str:
    # A per cent sign is supervisord's own mark for a substitution.
    return f"[{name}]\n" + "".join(f"{key}={str(value).replace('%', '%%')}\n" for key, value in lines.items())
