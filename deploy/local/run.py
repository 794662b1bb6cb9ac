"""up, down and status of a local run: each may be repeated at any time, and after any kill."""

import fcntl
import json
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil

from deploy.local import kafka, postgres, processes, secrets
from deploy.local.errors import LocalRunError
from deploy.local.programs import Program, infrastructure, refuse_taken_ports, services
from deploy.local.settings import LocalSettings
from deploy.local.supervision import Supervisor

Say = Callable[[str], None]
RECORD = "run.json"
GIVEN_UP = {"FATAL", "UNKNOWN"}
RUNS = {"STARTING", "RUNNING", "BACKOFF"}


@dataclass(frozen=True)
class Row:
    """One line of `status`: uptime in seconds, `ready` None when it does not run."""

    program: str
    state: str
    pid: int | None
    ports: tuple[int, ...]
    uptime: int | None
    ready: bool | None


def declared(settings: LocalSettings, only: Collection[str] | None = None) -> list[Program]:
    """Programs in the order in which they start; `only` keeps those of these names."""
    programs = [*infrastructure(settings), *services(settings)]
    return [program for program in programs if only is None or program.name in only]


def up(settings: LocalSettings, say: Say = print, only: Collection[str] | None = None) -> bool:
    """Starts what does not run and returns when all is ready; False if everything ran already.

    A killed run's leftovers are ended first. Raises LocalRunError with the mend when something does not come up.
    """
    with _alone(settings):
        supervisor = Supervisor(settings.home)
        if supervisor.pid and supervisor.states():
            settings = _running_settings(settings, say)
        else:
            _fresh(settings, supervisor, declared(settings, only), say)
        programs = declared(settings, only)
        running = supervisor.states()
        known = [program for program in programs if program.name in running]
        for program in programs:
            if program.name not in running:
                say(f"{program.name} is new since the run was started: `make down up` starts it too")
        if all(running[p.name]["statename"] == "RUNNING" and p.is_ready() for p in known):
            return False
        _start(settings, supervisor, [p for p in known if p.infrastructure], say)
        if any(p.name == "postgres" for p in known):
            postgres.ensure_database(settings)
        _start(settings, supervisor, [p for p in known if not p.infrastructure], say)
        return True


def _fresh(settings: LocalSettings, supervisor: Supervisor, programs: Sequence[Program], say: Say) -> None:
    """A new supervisord on clean ground."""
    if ended := processes.end_run(settings.home):
        say(f"ended {ended} processes that a killed run had left")
    refuse_taken_ports(programs)
    settings.logs.mkdir(exist_ok=True)
    secrets.ensure_keys(settings)
    database_url = secrets.database_url(settings)
    with ThreadPoolExecutor() as pool:
        jobs = [pool.submit(kafka.prepare, settings)]
        if settings.database_url is None:
            jobs.append(pool.submit(postgres.prepare, settings))
        for job in jobs:
            job.result()
    secrets.write_private(settings.home / RECORD, settings.model_dump_json())
    supervisor.start(programs, environment(settings, database_url))


def recorded(settings: LocalSettings) -> LocalSettings:
    """The settings with which the run in this home was started: the environment may have changed since."""
    file = settings.home / RECORD
    return LocalSettings(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else settings


def _running_settings(settings: LocalSettings, say: Say) -> LocalSettings:
    running = recorded(settings)
    if changed := [name for name in LocalSettings.model_fields if getattr(running, name) != getattr(settings, name)]:
        say(f"it runs with other settings than given now ({', '.join(changed)}): `make down up` takes the new ones")
    return running


def environment(settings: LocalSettings, database_url: str) -> dict[str, str]:
    """What every program of the run finds in its environment, beside what we were started with.

    Telegram, VK and SMS go to the fakes, with credentials or without: only who names a provider's address reaches somebody outside.
    """
    fakes = f"http://127.0.0.1:{settings.fakes_port}"
    return {
        "OTKLIK_TELEGRAM_TOKEN": "local",
        "OTKLIK_TELEGRAM_URL": f"{fakes}/telegram",
        "OTKLIK_VK_TOKEN": "local",
        "OTKLIK_VK_URL": f"{fakes}/vk",
        "OTKLIK_SMSC_APIKEY": "local",
        "OTKLIK_SMSC_URL": f"{fakes}/smsc",
        **os.environ,
        processes.MARK: str(settings.home),
        "OTKLIK_HOME": str(settings.home),
        "OTKLIK_PORT": str(settings.port),
        "OTKLIK_KAFKA": settings.kafka,
        "OTKLIK_KEYS_FILE": str(settings.keys_file),
        "OTKLIK_SMTP_PORT": str(settings.smtp_port),
        "OTKLIK_MAIL_PORT": str(settings.mail_port),
        "OTKLIK_FAKES_PORT": str(settings.fakes_port),
        "DATABASE_URL": database_url,
        "PYTHONUNBUFFERED": "1",
    }


def _start(settings: LocalSettings, supervisor: Supervisor, programs: Sequence[Program], say: Say) -> None:
    """Starts those that do not run, all at once, then waits for each."""
    for program in programs:
        supervisor.start_program(program.name)
    began = time.monotonic()
    waiting = list(programs)
    while waiting:
        states = supervisor.states()
        for program in list(waiting):
            state = states.get(program.name, {}).get("statename", "UNKNOWN")
            if state == "RUNNING" and program.is_ready():
                say(f"{program.name} is ready after {time.monotonic() - began:.1f} s")
                waiting.remove(program)
            elif state in GIVEN_UP or time.monotonic() - began > settings.ready_seconds:
                raise LocalRunError(_failure(settings, program, state, time.monotonic() - began))
        time.sleep(0.1)


def _failure(settings: LocalSettings, program: Program, state: str, seconds: float) -> str:
    log = settings.logs / f"{program.name}.log"
    tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:] if log.exists() else []
    return "\n".join((f"{program.name} is not ready after {seconds:.0f} s ({state}); the end of {log}:", *tail))


def down(settings: LocalSettings, say: Say = print) -> int:
    """Stops services, then infrastructure, then what a killed run left; returns how many of these there were."""
    if not settings.home.exists():
        return 0
    with _alone(settings):
        supervisor = Supervisor(settings.home)
        pid = supervisor.pid
        if pid:
            _shut_down(supervisor, pid)
        ended = processes.end_run(settings.home)
        if left := processes.of_run(settings.home):
            raise LocalRunError(f"these processes do not end: {', '.join(str(process.pid) for process in left)}")
        if ended:
            say(f"ended {ended} processes that a killed run had left")
        say("stopped" if pid or ended else "nothing runs")
        return ended


def _shut_down(supervisor: Supervisor, pid: int) -> None:
    states = supervisor.states()
    if not states:
        return  # it lives but does not answer: the caller ends it with all that it started
    backbone = ("kafka", "postgres", "mail", "fakes")
    for group in ([name for name in states if name not in backbone], backbone):
        for name in group:
            if states.get(name, {}).get("statename") in RUNS:
                supervisor.stop_program(name)
        _wait_stopped(supervisor, group)
    supervisor.shut_down()
    _wait(lambda: not psutil.pid_exists(pid), 15)


def _wait_stopped(supervisor: Supervisor, names: Collection[str]) -> None:
    def stopped() -> bool:
        return all(info["statename"] not in RUNS | {"STOPPING"} for info in supervisor.states().values() if info["name"] in names)

    _wait(stopped, 30)


def _wait(done: Callable[[], bool], seconds: float) -> None:
    """Returns when done or when the time is over: what is left is then ended hard."""
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        time.sleep(0.1)


def wait(settings: LocalSettings) -> None:
    """Until the supervisord of this home has ended; it is no child of ours."""
    pid = Supervisor(settings.home).pid
    if pid is not None:
        with suppress(psutil.NoSuchProcess):
            psutil.Process(pid).wait()


def status(settings: LocalSettings) -> list[Row]:
    """One row per declared program, whether it runs or not. UNSUPERVISED: its supervisor was killed, and processes are left."""
    supervisor = Supervisor(settings.home)
    settings = recorded(settings) if supervisor.pid else settings
    states = supervisor.states() if supervisor.pid else {}
    absent = "STOPPED" if supervisor.pid or not processes.of_run(settings.home) else "UNSUPERVISED"
    return [_row(program, states.get(program.name, {"statename": absent})) for program in declared(settings)]


def _row(program: Program, info: dict[str, object]) -> Row:
    state = str(info["statename"])
    alive = state == "RUNNING"
    uptime = int(str(info["now"])) - int(str(info["start"])) if alive else None
    return Row(
        program=program.name,
        state=state,
        pid=int(str(info["pid"])) if alive else None,
        ports=tuple(port for port, _ in program.ports),
        uptime=uptime,
        ready=program.is_ready() if alive else None,
    )


@contextmanager
def _alone(settings: LocalSettings) -> Iterator[None]:
    """Two `up` at once, or `up` and `down`, take turns. The lock goes with its process, so a kill leaves none."""
    settings.home.mkdir(parents=True, exist_ok=True)
    with (settings.home / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
