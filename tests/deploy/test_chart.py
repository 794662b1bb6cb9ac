"""The chart's values and its schema: what needs no helm. `make check-deploy` renders it."""

import json
import re

import pytest
import yaml

from deploy.local.settings import ROOT, SERVICES

CHART = ROOT / "deploy" / "helm" / "otklik"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
TEMPLATES = {file.name: file.read_text() for file in sorted((CHART / "templates").iterdir())}


def files_of_values():
    return [CHART / "values.yaml", CHART / "values-3-brokers.yaml", *sorted((CHART / "ci").glob("*.yaml"))]


def test_every_service_has_values_and_a_place_in_the_schema():
    assert set(VALUES["services"]) == set(SERVICES)
    assert set(SCHEMA["properties"]["services"]["properties"]) == set(SERVICES)
    assert set(SCHEMA["properties"]["services"]["required"]) == set(SERVICES)


def test_the_schema_knows_every_value_and_nothing_else():
    assert set(SCHEMA["properties"]) - {"global"} == set(VALUES)
    for name, part in SCHEMA["properties"].items():
        if part.get("additionalProperties") is False and name != "services":
            assert set(part["properties"]) == set(VALUES[name]), name


@pytest.mark.parametrize("service", SERVICES)
def test_who_reads_facts_keeps_its_name(service):
    """A StatefulSet's pod name is a static member of the group; a Deployment's would be another one after every restart."""
    kind = "Deployment" if service in ("ingest", "gateway") else "StatefulSet"
    assert VALUES["services"][service]["kind"] == kind
    role = SCHEMA["properties"]["services"]["properties"][service]["$ref"].rsplit("/", 1)[1]
    assert SCHEMA["definitions"][role]["properties"]["kind"] == {"const": kind}


def test_values_of_every_file_are_of_known_names():
    for file in files_of_values():
        given = yaml.safe_load(file.read_text())
        assert set(given) <= set(VALUES), file.name
        assert set(given.get("services", {})) <= set(SERVICES), file.name


def test_production_has_three_copies_and_says_what_the_brokers_must_be_set_to():
    file = CHART / "values-3-brokers.yaml"
    given = yaml.safe_load(file.read_text())["kafka"]
    assert given["replication"] == len(given["bootstrapServers"].split(",")) == 3
    assert "min.insync.replicas=2" in file.read_text()


def test_pods_may_do_nothing_they_need_not():
    pods = TEMPLATES["workloads.yaml"]
    for line in (
        "runAsNonRoot: true",
        "readOnlyRootFilesystem: true",
        "allowPrivilegeEscalation: false",
        "capabilities: {drop: [ALL]}",
        "seccompProfile: {type: RuntimeDefault}",
        "automountServiceAccountToken: false",
        "enableServiceLinks: false",
    ):
        assert pods.count(line) == 1, line


def test_templates_use_values_that_exist():
    used = {path for text in TEMPLATES.values() for path in re.findall(r"\.Values\.([A-Za-z.]+[A-Za-z])", text)}
    assert used
    for path in used:
        value = VALUES
        for step in path.split("."):
            assert step in value, path
            value = value[step]


def test_the_chart_is_of_this_version():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE).group(1)
    assert chart["appVersion"] == version
    assert f"otklik:{version}}}" in (ROOT / "deploy" / "compose" / "compose.yaml").read_text()
