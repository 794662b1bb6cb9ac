"""`python tests/replay/record.py NAME TEST...`: run tests of tests/cases or tests/orchestrator and keep what was decided meanwhile as
fixtures/NAME: by the orchestrator's process of an installation, or in the tests' own.

docs/rules.md says when a history may be recorded anew.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT)

import msgspec  # noqa: E402

from tests.replay.history import History, save  # noqa: E402

FIXTURES = Path(__file__).parent / "fixtures"
MOST_BYTES = 300_000


def main() -> int:
    name, *tests = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="otklik-record-") as folder:
        Path(folder).chmod(0o777)
        path = os.pathsep.join((str(Path(__file__).parent / "hook"), str(ROOT)))
        environment = {**os.environ, "PYTHONPATH": path, "OTKLIK_RECORD_DECISIONS": folder}
        done = subprocess.run((sys.executable, "-m", "pytest", "-q", *tests), cwd=ROOT, env=environment, check=False)
        histories = [msgspec.msgpack.decode(file.read_bytes(), type=History) for file in sorted(Path(folder).glob("*.msgpack"))]
    if done.returncode or len(histories) != 1:
        print(f"nothing is kept: the tests ended with {done.returncode}, and {len(histories)} processes decided")
        return 1
    file = FIXTURES / f"{name}.msgpack.xz"
    FIXTURES.mkdir(exist_ok=True)
    save(histories[0], file)
    size = file.stat().st_size
    print(f"{file}: {len(histories[0].calls)} decisions, {size} bytes")
    return int(size > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
