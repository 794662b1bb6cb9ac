"""Every setting that the image, the compose files and the chart name is one that some service reads."""

import re
from importlib import import_module
from importlib.util import find_spec

import pytest
from pydantic_settings import BaseSettings

from deploy.local.settings import ROOT, SERVICES

DEPLOY = ROOT / "deploy"
FILES = [
    DEPLOY / "Dockerfile",
    *sorted((DEPLOY / "compose").glob("*.yaml")),
    *sorted(file for file in (DEPLOY / "helm").rglob("*") if file.suffix in {".yaml", ".tpl", ".txt"}),
    DEPLOY / "README.md",
]
NAME = re.compile(r"\b(OTKLIK_[A-Z_]*[A-Z]|DATABASE_URL)\b")


def known():
    modules = ["runtime.settings", *(f"services.{name}.settings" for name in SERVICES if find_spec(f"services.{name}.settings"))]
    found = set()
    for module in map(import_module, modules):
        for one in vars(module).values():
            if isinstance(one, type) and issubclass(one, BaseSettings) and one is not BaseSettings:
                prefix = one.model_config["env_prefix"]
                found |= {str(field.validation_alias or prefix + name.upper()) for name, field in one.model_fields.items()}
    return found


KNOWN = known()


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(DEPLOY)))
def test_names_of_settings_are_known(file):
    assert set(NAME.findall(file.read_text())) <= KNOWN


def test_there_are_names_to_look_at():
    named = {name for file in FILES for name in NAME.findall(file.read_text())}
    assert {"DATABASE_URL", "OTKLIK_KAFKA", "OTKLIK_SERVICES", "OTKLIK_SMTP_HOST"} <= named & KNOWN
