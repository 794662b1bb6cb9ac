"""`python -m deploy.local.sizes`: no Python file over 400 lines; those over 250 are listed."""

import sys
from collections.abc import Iterable
from pathlib import Path

from deploy.local.settings import ROOT

FOLDERS = ("schemas", "runtime", "services", "deploy", "bench", "tests")
LISTED, REFUSED = 250, 400


def long_files(files: Iterable[Path]) -> list[tuple[int, Path]]:
    """(lines, file) of those over LISTED lines, longest first."""
    lengths = ((len(file.read_text(encoding="utf-8").splitlines()), file) for file in files)
    return sorted((pair for pair in lengths if pair[0] > LISTED), reverse=True)


def main() -> int:
    listed = long_files(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))
    for lines, file in listed:
        verdict = f"too long, the limit is {REFUSED}: split it" if lines > REFUSED else f"over {LISTED}"
        print(f"{file.relative_to(ROOT)}: {lines} lines, {verdict}")
    return int(any(lines > REFUSED for lines, _ in listed))


if __name__ == "__main__":
    sys.exit(main())
