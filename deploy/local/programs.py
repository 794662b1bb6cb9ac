"""What a local run consists of: programs as plain values, made from the settings and the packages there are."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec

from deploy.local import kafka, postgres, ready
from deploy.local.errors import LocalRunError
from deploy.local.processes import holder, is_free
from deploy.local.settings import HOSTED, SERVICES, LocalSettings


@dataclass(frozen=True)
class Program:
    """One supervised process. `ports`: (number, the variable that changes it); `user`: a system user, for root only."""

    name: str
    command: tuple[str, ...]
    ports: tuple[tuple[int, str], ...]
    is_ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    infrastructure: bool = False
    user: str | None = None
    stop_signal: str = "TERM"


def exists(module: str) -> bool:
    """Whether the package is there. A missing parent counts as not there."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def infrastructure(settings: LocalSettings) -> list[Program]:
    """Kafka, PostgreSQL unless the user gave one, the mail catcher, and the fake providers."""
    programs = [
        Program(
            name="kafka",
            command=kafka.command(settings),
            ports=(
                (settings.kafka_port, "OTKLIK_KAFKA_PORT"),
                (settings.kafka_controller_port, "OTKLIK_KAFKA_CONTROLLER_PORT"),
            ),
            is_ready=lambda: ready.kafka(settings.kafka_port),
            infrastructure=True,
        )
    ]
    if settings.database_url is None:
        identity = postgres.identity(settings)
        programs.append(
            Program(
                name="postgres",
                command=identity.wrap(postgres.command(settings)),
                ports=((settings.postgres_port, "OTKLIK_POSTGRES_PORT"),),
                is_ready=lambda: postgres.is_ready(settings),
                infrastructure=True,
                user=identity.user,
                stop_signal="INT",
            )
        )
    programs.append(
        Program(
            name="mail",
            command=(sys.executable, "-m", "deploy.local.catcher"),
            ports=((settings.smtp_port, "OTKLIK_SMTP_PORT"), (settings.mail_port, "OTKLIK_MAIL_PORT")),
            is_ready=lambda: ready.http(settings.mail_port),
            infrastructure=True,
        )
    )
    programs.append(
        Program(
            name="fakes",
            command=(sys.executable, "-m", "deploy.fakes"),
            ports=((settings.fakes_port, "OTKLIK_FAKES_PORT"),),
            is_ready=lambda: ready.http(settings.fakes_port),
            infrastructure=True,
        )
    )
    return programs


def services(settings: LocalSettings, there: Callable[[str], bool] = exists) -> list[Program]:
    """Every process of every service that has a package; admin ports are given out in the order of SERVICES."""
    counts = SERVICES | settings.workers
    instances = [
        (name, number) for name, count in counts.items() if there(f"services.{name}.__main__") for number in range(1, count + 1)
    ]
    addresses = [f"{name}=http://127.0.0.1:{settings.admin_port + index}" for index, (name, _) in enumerate(instances)]
    addresses += [
        f"{name}=http://127.0.0.1:{settings.admin_port + index}"
        for name, host in HOSTED.items()
        for index, (there_is, _) in enumerate(instances)
        if there_is == host
    ]
    addresses += [f"{name}.public=http://127.0.0.1:{port}" for name, (port, _) in _public(settings).items()]
    known = ",".join(addresses)
    return [_service(settings, name, n, settings.admin_port + index, known) for index, (name, n) in enumerate(instances)]


def _public(settings: LocalSettings) -> dict[str, tuple[int, str]]:
    """Services that listen on a port of their own beside the admin one."""
    return {"ingest": (settings.ingest_port, "OTKLIK_INGEST_PORT"), "sender": (settings.public_port, "OTKLIK_PUBLIC_PORT")}


def _service(settings: LocalSettings, name: str, number: int, admin_port: int, addresses: str) -> Program:
    instance = f"{name}-{number}"
    ports = {**_public(settings), "gateway": (settings.port, "OTKLIK_PORT")}
    own = (ports[name],) if name in ports and number == 1 else ()
    # A second process of a service with a public port takes any free one: the first answers for the address.
    public = {ports[name][1]: str(ports[name][0] if number == 1 else 0)} if name in ports else {}
    return Program(
        name=instance,
        command=(sys.executable, "-m", "deploy.cli", "run", name),
        ports=((admin_port, "OTKLIK_ADMIN_PORT"), *own),
        is_ready=lambda: ready.http(admin_port),
        environment={
            "OTKLIK_INSTANCE": instance,
            "OTKLIK_ADMIN_PORT_OWN": str(admin_port),
            "OTKLIK_SERVICES": addresses,
            "OTKLIK_PUBLIC_URL": f"http://127.0.0.1:{settings.port}",
            **public,
        },
    )


def refuse_taken_ports(programs: Sequence[Program]) -> None:
    """Raises one error that names every port we cannot have, what changes it, and who holds it."""
    asked: dict[int, str] = {}
    faults = []
    for program in programs:
        for port, variable in program.ports:
            if port in asked:
                faults.append(f"port {port} is wanted by both {asked[port]} and {variable}: change one of them")
            elif not is_free(port):
                by = holder(port) or "a process that this user may not see"
                faults.append(f"port {port} ({program.name}) is taken by {by}: stop it, or set {variable} to a free port")
            asked[port] = variable
    if faults:
        raise LocalRunError("\n".join(faults))
