"""The rules of the checkout that no linter has."""

import profile
import sysconfig
from pathlib import Path

from deploy.local.settings import ROOT
from deploy.local.sizes import long_files


def test_the_folder_services_hides_no_module_of_python():
    assert Path(profile.__file__).is_relative_to(sysconfig.get_path("stdlib"))


def test_long_files_are_found(tmp_path):
    for name, lines in (("short", 250), ("long", 251), ("longer", 401)):
        (tmp_path / f"{name}.py").write_text("x = 1\n" * lines)
    assert [(lines, file.stem) for lines, file in long_files(tmp_path.glob("*.py"))] == [(401, "longer"), (251, "long")]


def test_the_locks_pin_hashes_and_name_no_host():
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text and "--index-url" not in text and "--find-links" not in text
        pinned = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert pinned and all("==" in line and line.endswith("\\") for line in pinned)
