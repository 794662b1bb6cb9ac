"""The compose files as text and as YAML: what needs no Docker."""

import re

import pytest
import yaml

from deploy.local.settings import HOSTED, ROOT, SERVICES
from services.gateway.settings import GatewaySettings

FOLDER = ROOT / "deploy" / "compose"
WHOLE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
OVERRIDE = yaml.safe_load((FOLDER / "compose.override.example.yaml").read_text())
ASKED = re.compile(r"\$\{([A-Z_]+)(:[?-])?")


def asked(text: str) -> dict[str, set[str]]:
    """Variable -> how it is asked for: `:?` required, `:-` with a default."""
    found: dict[str, set[str]] = {}
    for name, how in ASKED.findall(text):
        found.setdefault(name, set()).add(how)
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_stands_once_and_runs_itself(service):
    commands = [entry["command"] for entry in WHOLE["services"].values() if isinstance(entry.get("command"), list)]
    assert commands.count(["run", service]) == 1
    one = WHOLE["services"][service]
    assert one["command"] == ["run", service]
    assert one["environment"]["OTKLIK_INSTANCE"] == f"{service}-1"
    assert one["restart"] == "unless-stopped"
    assert one["depends_on"] == {name: {"condition": "service_healthy"} for name in ("kafka", "postgres")}
    assert one["deploy"]["resources"]["limits"]["memory"]


def test_the_servers_have_health_checks_limits_and_volumes():
    for name in ("kafka", "postgres"):
        server = WHOLE["services"][name]
        assert server["healthcheck"]["test"]
        assert server["deploy"]["resources"]["limits"]["memory"]
        assert [volume.split(":")[0] for volume in server["volumes"]] == [name]
        assert server["networks"] == ["data"]
        assert "ports" not in server
    assert WHOLE["networks"]["data"] == {"internal": True}


def test_ports_are_bound_to_this_machine_unless_said_otherwise():
    published = [port for part in (WHOLE, OVERRIDE) for entry in part["services"].values() for port in entry.get("ports", [])]
    assert len(published) == 4
    assert all(port.startswith("${BIND:-127.0.0.1}:") for port in published)


def test_the_gateway_knows_every_service():
    text = WHOLE["services"]["gateway"]["environment"]["OTKLIK_SERVICES"]
    assert GatewaySettings(services=text).services == {
        **{name: (f"http://{name}:8090",) for name in SERVICES},
        **{name: (f"http://{host}:8090",) for name, host in HOSTED.items()},
        "ingest.public": ("http://ingest:8081",),
        "sender.public": ("http://sender:8082",),
    }


def test_the_example_of_env_names_every_variable_and_no_other():
    wanted = asked((FOLDER / "compose.yaml").read_text() + (FOLDER / "compose.override.example.yaml").read_text())
    assert all(len(how) == 1 and how <= {":?", ":-"} for how in wanted.values()), wanted
    lines = (FOLDER / ".env.example").read_text().splitlines()
    given = {line.split("=")[0] for line in lines if re.match(r"[A-Z_]+=", line)}
    optional = {line[1:].split("=")[0] for line in lines if re.match(r"#[A-Z_]+=", line)}
    assert given == {name for name, how in wanted.items() if how == {":?"}}
    assert optional == {name for name, how in wanted.items() if how == {":-"}}


def test_the_override_runs_all_in_one_and_leaves_the_single_ones_down():
    single = dict(OVERRIDE["services"])
    one = single.pop("otklik")
    assert one["command"] == ["run", "all"]
    assert "OTKLIK_SERVICES" not in one["environment"]
    assert single == {name: {"profiles": ["apart"]} for name in SERVICES}
    assert one["volumes"] == WHOLE["services"]["warehouse"]["volumes"]
    needed = set().union(*(entry["environment"] for name, entry in WHOLE["services"].items() if name in SERVICES))
    sender = set(WHOLE["services"]["sender"]["environment"])  # what it extends
    assert needed - {"OTKLIK_SERVICES"} == sender | set(one["environment"])
