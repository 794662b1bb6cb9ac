"""Merges figures into bench/results/latest.json: the newest of each name stays."""

import json
import os
import platform
import time
from pathlib import Path
from typing import Any

LATEST = Path(__file__).parent / "results" / "latest.json"


def machine() -> str:
    with Path("/proc/cpuinfo").open() as info:
        model = next((line.partition(":")[2].strip() for line in info if line.startswith("model name")), platform.processor())
    return f"{os.cpu_count()} x {model}, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def named(count: int) -> str:
    """How many, as the name of a figure has it: 389k, 2500."""
    return str(count) if count % 1000 or not count else f"{count // 1000}k"


def record(what: str, figure: float, unit: str, n: int, **more: Any) -> dict[str, Any]:
    """Print one figure and keep it. n: how many things were measured; more: calibration, spread, settings."""
    row = {
        "what": what,
        "figure": figure,
        "unit": unit,
        "n": n,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine(),
    }
    row.update(more)
    kept = json.loads(LATEST.read_text()) if LATEST.exists() else []
    kept = sorted([r for r in kept if r["what"] != what] + [row], key=lambda r: r["what"])
    LATEST.parent.mkdir(exist_ok=True)
    LATEST.write_text(json.dumps(kept, indent=1) + "\n")
    print(json.dumps(row), flush=True)
    return row
