"""What `make setup` says on a machine that lacks something: the name, and how to get it."""

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.settings import ROOT

TOOLS = {"java": "echo 'openjdk version \"17.0.1\"' >&2", "mvn": "exit 0", "node": "echo v20.1.0"}
NEEDED = ("sh", "sed", "head", "grep", "env", "dirname", "cat")


def machine(folder: Path, **tools: str) -> str:
    """A PATH with Python, a shell's own tools and these made-up ones."""
    for name in NEEDED:
        (folder / name).symlink_to(next(p for p in (Path("/usr/bin") / name, Path("/bin") / name) if p.exists()))
    (folder / "python3.11").symlink_to(sys.executable)
    for name, body in tools.items():
        script = folder / name
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"java": None}, ("java was not found", "install Java 17")),
        ({"java": "echo 'openjdk version \"11.0.2\"' >&2"}, ("Java 11 is too old", "install Java 17")),
        ({"mvn": None}, ("mvn was not found", "install Maven")),
        ({"node": None}, ("node was not found", "install Node 20")),
        ({"node": "echo v18.0.0"}, ("Node v18.0.0 is too old", "install Node 20")),
    ],
)
def test_what_is_missing_is_named_with_its_mend(tmp_path, changed, words):
    tools = {name: body for name, body in {**TOOLS, **changed}.items() if body is not None}
    (tmp_path / "bin").mkdir()
    checkout = tmp_path / "checkout"  # an empty one: nothing of ours may be touched
    checkout.mkdir()
    ended = subprocess.run(
        ["/bin/sh", str(ROOT / "deploy/local/setup.sh")],
        cwd=checkout, env={"PATH": machine(tmp_path / "bin", **tools)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert all(word in ended.stderr for word in ("setup:", *words)), ended.stderr
    assert list(checkout.iterdir()) == []
