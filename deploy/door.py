"""The management API of an installation, as the commands of `otklik` use it."""

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, Self

import httpx

from deploy.local.errors import LocalRunError
from deploy.local.settings import LocalSettings


class Door:
    """The management API of an installation. Raises LocalRunError with what it answered."""

    def __init__(self, url: str | None, key: str | None) -> None:
        settings = LocalSettings.from_environment()
        shown = key or os.environ.get("OTKLIK_API_KEY")
        if shown is None:
            if not settings.keys_file.exists():
                raise LocalRunError("there is no API key: name one in OTKLIK_API_KEY, or start an installation with `make up`")
            shown = json.loads(settings.keys_file.read_text(encoding="utf-8"))["api_key"]
        base = url or f"http://127.0.0.1:{settings.port}"
        self._http = httpx.Client(base_url=base, headers={"Authorization": f"Bearer {shown}"}, timeout=300, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def call(self, method: str, path: str, also: Collection[int] = (), **more: Any) -> dict[str, Any]:
        """also: statuses beside the good ones whose answer the caller reads."""
        answer = self._http.request(method, f"/api{path}", **more)
        if not answer.is_success and answer.status_code not in also:
            raise LocalRunError(_told(answer))
        found: dict[str, Any] = answer.json()
        return found

    def save(self, path: str, into: Path) -> None:
        with self._http.stream("GET", f"/api{path}") as answer:
            if not answer.is_success:
                answer.read()
                raise LocalRunError(_told(answer))
            with into.open("wb") as file:
                for data in answer.iter_bytes():
                    file.write(data)


def _told(answer: httpx.Response) -> str:
    try:
        document = answer.json()
    except ValueError:
        return f"{answer.status_code}: {answer.text[:200]}"
    faults = [f"  {fault.get('path', '')}: {fault['message']} {fault.get('mend', '')}" for fault in document.get("errors", [])]
    return "\n".join([str(document.get("detail", answer.status_code)), *faults])
