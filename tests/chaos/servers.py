"""A Kafka and a PostgreSQL of the run's own, with fsync on, that may be killed: their supervisor starts them again. And an SMTP server."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncpg

from deploy.local import run, secrets
from deploy.local.settings import LocalSettings
from deploy.local.supervision import Supervisor
from runtime.settings import Settings
from tests.conftest import make_settings

INFRASTRUCTURE = ("kafka", "postgres")


class Servers:
    """The infrastructure of one run in `home`."""

    def __init__(self, home: Path) -> None:
        self.local: LocalSettings = make_settings(home, postgres_fsync=True, kafka_heap_mb=512, kafka_short_lived=False)
        self.supervisor = Supervisor(self.local.home)

    def up(self) -> None:
        run.up(self.local, say=lambda _: None, only=INFRASTRUCTURE)

    def down(self) -> None:
        run.down(self.local, say=lambda _: None)

    @property
    def database_url(self) -> str:
        return secrets.database_url(self.local)

    def environment(self) -> dict[str, str]:
        """What a service needs to find them; short timeouts, so that a frozen process is given up within the run."""
        return {
            "OTKLIK_KAFKA": self.local.kafka,
            "DATABASE_URL": self.database_url,
            "OTKLIK_HOME": str(self.local.home),
            "OTKLIK_KEYS_FILE": str(self.local.keys_file),
            "OTKLIK_SESSION_TIMEOUT_MS": "6000",
            "OTKLIK_TRANSACTION_TIMEOUT_S": "12",
            "OTKLIK_IMPORT_ROWS": "20",
        }

    def settings(self) -> Settings:
        """The same for the runner's own readers and producers."""
        return Settings(
            kafka=self.local.kafka, DATABASE_URL=self.database_url, keys_file=self.local.keys_file, home=self.local.home
        )

    def signal(self, name: str, number: signal.Signals) -> int:
        """Send a signal to a server; its supervisor starts it again. Returns the pid it had."""
        pid = int(self.supervisor.states()[name]["pid"])
        os.kill(pid, number)
        return pid

    def is_back(self, name: str, old: int) -> bool:
        """Whether another process than `old` serves under this name."""
        state = self.supervisor.states().get(name, {})
        if state.get("statename") != "RUNNING" or state.get("pid") == old:
            return False
        return next(p for p in run.declared(self.local, [name])).is_ready()

    async def connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(self.database_url)


class Chats:
    """The fake of Telegram, a process of its own that nothing disturbs: its log is what was sent there."""

    def __init__(self, home: Path) -> None:
        self.log = home / "chats.jsonl"
        words = [sys.executable, str(Path(__file__).with_name("acts") / "chat_server.py"), "--log", str(self.log)]
        self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def environment(self) -> dict[str, str]:
        return {"OTKLIK_TELEGRAM_URL": f"http://127.0.0.1:{self.port}", "OTKLIK_TELEGRAM_TOKEN": "1:chaos"}

    def down(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


class Mail:
    """The SMTP server of a run, a process of its own that nothing disturbs: its log is what was sent."""

    def __init__(self, home: Path, seed: int, *, faults: bool) -> None:
        self.log = home / "mails.jsonl"
        words = [sys.executable, str(Path(__file__).with_name("smtp_server.py")), "--log", str(self.log), "--seed", str(seed)]
        self._process = subprocess.Popen(
            [*words, *(["--faults"] if faults else [])], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def environment(self) -> dict[str, str]:
        return {"OTKLIK_SMTP_HOST": "127.0.0.1", "OTKLIK_SMTP_PORT": str(self.port), "OTKLIK_MAIL_DOMAIN": "shop.example"}

    def letters(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]

    def down(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
