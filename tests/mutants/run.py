"""`make mutants`: break one rule at a time in a copy of the checkout; the tests named for it must turn red.

`python tests/mutants/run.py [WORD]` runs those whose name holds the word. Exit code 1 when one stays green or no longer applies.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT)

from deploy.local import run as local  # noqa: E402
from deploy.local import secrets  # noqa: E402
from tests.conftest import make_settings  # noqa: E402
from tests.mutants.mutants import MUTANTS, Mutant  # noqa: E402
from tests.mutants.of_rules import OF_RULES  # noqa: E402

COPIED = ("schemas", "runtime", "services", "deploy", "docs", "tests", "pyproject.toml")
LIMIT_S = 180  # for the tests of one mutant; one test alone has a third
KNOWN = {0: "GREEN", 1: "red"}  # pytest's exit codes; any other means that the tests could not be run


class DoesNotApply(Exception):  # noqa: N818
    """The code that a mutant breaks is not there, or not once."""


@contextmanager
def servers(home: Path) -> Iterator[dict[str, str]]:
    """Environment of tests that share one Kafka and one PostgreSQL: those given, else ours."""
    if "OTKLIK_TEST_KAFKA" in os.environ and "OTKLIK_TEST_DATABASE_URL" in os.environ:
        yield dict(os.environ)
        return
    settings = make_settings(home, postgres_fsync=False, kafka_heap_mb=384)
    try:
        local.up(settings, say=lambda _: None, only=("kafka", "postgres"))
        given = {"OTKLIK_TEST_KAFKA": settings.kafka, "OTKLIK_TEST_DATABASE_URL": secrets.database_url(settings)}
        yield {**os.environ, **given}
    finally:
        local.down(settings, say=lambda _: None)


def copy(target: Path) -> None:
    """The checkout without what is installed or generated: the tests of the copy import the copy alone."""
    ignored = shutil.ignore_patterns("__pycache__", "node_modules", ".otklik", ".hypothesis")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=ignored)
        else:
            shutil.copy(source, target / name)


@contextmanager
def broken(tree: Path, mutant: Mutant) -> Iterator[None]:
    """The copy with the mutant applied, and whole again afterwards."""
    file = tree / mutant.file
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    if text.count(mutant.old) != 1:
        raise DoesNotApply(f"{mutant.file} has {text.count(mutant.old)} places like\n{mutant.old}")
    file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        yield
    finally:
        file.write_text(text, encoding="utf-8")


def tested(tree: Path, tests: Sequence[str], environment: dict[str, str]) -> tuple[str, str]:
    """("GREEN" | "red" | what else, the output) of the tests."""
    words = (sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"--timeout={LIMIT_S // 3}", *tests)
    try:
        done = subprocess.run(
            words, cwd=tree, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return "red", "the time limit"
    return KNOWN.get(done.returncode, f"not run (pytest's exit code {done.returncode})"), done.stdout[-3000:] + done.stderr[-1000:]


def verdict(tree: Path, mutant: Mutant, environment: dict[str, str]) -> tuple[str, str]:
    try:
        with broken(tree, mutant):
            return tested(tree, mutant.tests, environment)
    except DoesNotApply as error:
        return "DOES NOT APPLY", str(error)


def why(output: str) -> str:
    """The first test that turned red."""
    failed = [line for line in output.splitlines() if line.startswith(("FAILED tests", "ERROR tests"))]
    return failed[0].split(" - ")[0].rpartition("::")[2] if failed else output.strip()[-200:]


def without_servers(mutants: Sequence[Mutant], word: str) -> int:
    """The exit code of those whose name holds the word; for rules whose tests need nothing that runs."""
    chosen = [mutant for mutant in mutants if word in mutant.name]
    failures = 0
    with tempfile.TemporaryDirectory(prefix="otklik-mutants-") as folder:
        tree = Path(folder)
        copy(tree)
        for mutant in chosen:
            began = time.monotonic()
            state, output = verdict(tree, mutant, {**os.environ, "PYTHONPATH": str(tree)})
            failures += state != "red"
            print(f"  {mutant.name:<32} {state:<14} {time.monotonic() - began:5.1f} s  {why(output)}", flush=True)
    print(f"{len(chosen) - failures} of {len(chosen)} mutants are noticed")
    return int(failures > 0 or not chosen)


def main() -> int:
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    chosen = [mutant for mutant in (*MUTANTS, *OF_RULES) if word in mutant.name]
    failures = 0
    with tempfile.TemporaryDirectory(prefix="otklik-mutants-") as folder, servers(Path(folder) / "servers") as environment:
        Path(folder).chmod(0o755)
        tree = Path(folder) / "tree"
        tree.mkdir()
        copy(tree)
        state, output = tested(tree, sorted({test for mutant in chosen for test in mutant.tests}), environment)
        if state != "GREEN":
            print(f"the tests are {state} without any mutant: mend that first\n{output}")
            return 1
        for mutant in chosen:
            began = time.monotonic()
            state, output = verdict(tree, mutant, environment)
            good = state == "red"
            failures += not good
            print(f"  {mutant.name:<32} {state:<14} {time.monotonic() - began:5.1f} s  {why(output) if good else ''}", flush=True)
            if not good:
                print(output)
    print(f"{len(chosen) - failures} of {len(chosen)} mutants are noticed")
    return int(failures > 0 or not chosen)


if __name__ == "__main__":
    sys.exit(main())
