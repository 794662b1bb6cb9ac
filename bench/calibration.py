"""How fast one core is right now: these machines drift by 1.7 within the hour, so every figure has this beside it."""

import hashlib
import time


def score() -> dict[str, float]:
    """python: million loop steps a second; sha256: MB a second. CPU time, so that a busy machine does not count."""
    start = time.process_time()
    x = 0
    for i in range(1_000_000):
        x = (x * 31 + i) & 0xFFFFFFFF
    python = 1.0 / (time.process_time() - start)
    block = b"x" * 65_536
    start = time.process_time()
    for _ in range(1000):
        hashlib.sha256(block).digest()
    return {"python_m_per_s": round(python, 2), "sha256_mb_per_s": round(1000 * 65_536 / (time.process_time() - start) / 1e6)}
