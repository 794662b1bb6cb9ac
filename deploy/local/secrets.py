"""The secrets of a local run, made once and kept in its folder, readable by their owner alone."""

import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from deploy.local.settings import LocalSettings


def ensure_keys(settings: LocalSettings) -> dict[str, str]:
    """`{"api_key", "write_key"}` of keys.json; made on the first run."""
    text = _ensure(settings.keys_file, _new_keys)
    keys: dict[str, str] = json.loads(text)
    return keys


def ensure_postgres_password(settings: LocalSettings) -> str:
    return _ensure(settings.home / "postgres.password", lambda: secrets.token_urlsafe(24))


def database_url(settings: LocalSettings) -> str:
    """Of the PostgreSQL given by the user, else of our own."""
    if settings.database_url:
        return settings.database_url
    password = ensure_postgres_password(settings)
    return f"postgresql://otklik:{password}@127.0.0.1:{settings.postgres_port}/otklik"


def _new_keys() -> str:
    return json.dumps({"api_key": secrets.token_urlsafe(32), "write_key": secrets.token_urlsafe(24)})


def write_private(path: Path, text: str) -> None:
    """Whole or not at all, mode 0600: a killed run never leaves half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def _ensure(path: Path, make: Callable[[], str]) -> str:
    if not path.exists():
        write_private(path, make())
    return path.read_text(encoding="utf-8").strip()
