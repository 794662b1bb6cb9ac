"""The other witness of a chaos run: Telegram, as the fake of it answers, with a log of what it took and when.

`python tests/chaos/acts/chat_server.py --log chats.jsonl`; it prints its port.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[3])

from services.sender.channels.fakes.record import Record
from services.sender.channels.fakes.telegram import TelegramFake


class Witness(Record):
    """Each text that it takes is a line, shaped as the SMTP server's are, on the disk before it is answered. Its text says what it is."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self._log = log.open("a", encoding="utf-8")

    def accept(self, entry: dict[str, Any]) -> None:
        super().accept(entry)
        step, _, start = entry["text"].strip().partition(" ")
        line = {"what": "accepted", "at": int(time.time() * 1000), "to": entry["chat_id"], "step": step, "started_by": start}
        self._log.write(json.dumps(line) + "\n")
        self._log.flush()
        os.fsync(self._log.fileno())


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, required=True)
    given = parser.parse_args()
    print(await TelegramFake(record=Witness(given.log)).start(), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
