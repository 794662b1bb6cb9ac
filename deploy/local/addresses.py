"""What the command line shows of a run: where to go, and the table of its programs."""

from collections.abc import Sequence

from deploy.local import secrets
from deploy.local.run import Row
from deploy.local.settings import LocalSettings


def addresses(settings: LocalSettings) -> str:
    """Lines for a person: each address, and the keys of this local run."""
    keys = secrets.ensure_keys(settings)
    base = f"http://127.0.0.1:{settings.port}"
    database = "yours (DATABASE_URL)" if settings.database_url else f"127.0.0.1:{settings.postgres_port}/otklik, user otklik"
    lines = (
        ("API", f"{base}/api/  (described in {base}/api/openapi.json)"),
        ("tracking", f"{base}/v1/"),
        ("ingest", f"http://127.0.0.1:{settings.ingest_port}/v1/  (tracking without the gateway between)"),
        ("mails", f"http://127.0.0.1:{settings.mail_port}/  (SMTP on 127.0.0.1:{settings.smtp_port})"),
        ("messages", f"http://127.0.0.1:{settings.fakes_port}/  (what fake Telegram, VK and SMS took)"),
        ("Kafka", settings.kafka),
        ("PostgreSQL", database),
        ("API key", keys["api_key"]),
        ("write key", keys["write_key"]),
        ("kept in", str(settings.home)),
    )
    return "\n".join(f"  {name:<11} {value}" for name, value in lines)


def table(rows: Sequence[Row]) -> str:
    """One line per program, columns aligned."""
    head = ("program", "state", "pid", "port", "uptime", "ready")
    cells = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells)


def _cells(row: Row) -> tuple[str, ...]:
    ready = {None: "-", True: "yes", False: "no"}[row.ready]
    ports = ",".join(map(str, row.ports))
    return (row.program, row.state.lower(), str(row.pid or "-"), ports, _duration(row.uptime), ready)


def _duration(seconds: int | None) -> str:
    if seconds is None:
        return "-"
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
