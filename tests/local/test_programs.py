"""Which processes a run has, on which ports, and what supervisord is told about them."""

import configparser
import os
import pwd
import socket
from pathlib import Path

import pytest

from deploy.local import kafka, postgres, secrets
from deploy.local.errors import LocalRunError
from deploy.local.programs import Program, refuse_taken_ports, services
from deploy.local.settings import LocalSettings
from deploy.local.supervision import LONGEST_SOCKET_PATH, configuration, socket_path


def settings(tmp_path: Path, **changed) -> LocalSettings:
    return LocalSettings(**{"home": tmp_path, "workers": {}, "database_url": None, **changed})


def program(**changed) -> Program:
    return Program(**{"name": "a", "command": ("true",), "ports": (), "is_ready": lambda: True, **changed})


def test_a_service_without_a_package_is_left_out(tmp_path):
    chosen = services(settings(tmp_path), there=lambda module: module == "services.sender.__main__")
    assert [one.name for one in chosen] == ["sender-1"]


def test_each_process_has_its_own_instance_and_admin_port(tmp_path):
    chosen = services(settings(tmp_path, workers={"profile": 2}, admin_port=20000, port=8090), there=lambda _: True)
    ports = [int(one.environment["OTKLIK_ADMIN_PORT_OWN"]) for one in chosen]
    assert ports == list(range(20000, 20000 + len(chosen)))
    assert [one.environment["OTKLIK_INSTANCE"] for one in chosen].count("profile-2") == 1
    assert (8090, "OTKLIK_PORT") in next(one for one in chosen if one.name == "gateway-1").ports


def test_what_has_no_process_is_asked_in_its_hosts(tmp_path):
    chosen = services(settings(tmp_path, workers={"gateway": 2}, admin_port=20000), there=lambda _: True)
    assert not [one.name for one in chosen if one.name.startswith("experiments")]
    known = chosen[0].environment["OTKLIK_SERVICES"].split(",")
    found = {name: [part.partition("=")[2] for part in known if part.startswith(f"{name}=")] for name in ("gateway", "experiments")}
    assert found["experiments"] == found["gateway"] and len(found["gateway"]) == 2


def test_no_workers_of_a_service_means_that_it_does_not_run(tmp_path):
    chosen = services(settings(tmp_path, workers={"warehouse": 0}), there=lambda _: True)
    assert "warehouse-1" not in [one.name for one in chosen]


def test_a_taken_port_is_named_with_its_setting_and_its_holder():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalRunError) as caught:
            refuse_taken_ports([program(name="kafka", ports=((port, "OTKLIK_KAFKA_PORT"),))])
    assert all(word in str(caught.value) for word in (f"port {port}", "OTKLIK_KAFKA_PORT", f"pid {os.getpid()}"))


def test_one_port_for_two_programs_is_refused():
    clash = [program(ports=((39999, "OTKLIK_A"),)), program(ports=((39999, "OTKLIK_B"),))]
    with pytest.raises(LocalRunError, match="both OTKLIK_A and OTKLIK_B"):
        refuse_taken_ports(clash)


def test_the_configuration_survives_spaces_and_per_cent_signs():
    home = Path("/tmp/a folder %home")
    text = configuration(home, [program(command=("/bin/a b", "100%"), environment={"A": "b-1"}, user="nobody")])
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    section = dict(parser["program:a"])
    assert section["command"] == "'/bin/a b' 100%%"
    assert section["environment"] == 'A="b-1"'
    assert (section["user"], section["stopasgroup"], section["killasgroup"]) == ("nobody", "true", "true")
    assert section["stdout_logfile"] == "/tmp/a folder %%home/logs/a.log"


def test_no_secret_stands_in_the_configuration(tmp_path):
    given = settings(tmp_path)
    text = configuration(tmp_path, services(given, there=lambda _: True))
    assert secrets.ensure_postgres_password(given) not in text
    assert not any(key in text for key in secrets.ensure_keys(given).values())


def test_secrets_are_made_once_and_only_for_their_owner(tmp_path):
    given = settings(tmp_path)
    keys = secrets.ensure_keys(given)
    assert set(keys) == {"api_key", "write_key"} and secrets.ensure_keys(given) == keys
    assert given.keys_file.stat().st_mode & 0o777 == 0o600


def test_a_long_home_gets_a_short_socket(tmp_path):
    home = tmp_path / ("long" * 40)
    assert len(os.fsencode(socket_path(home))) <= LONGEST_SOCKET_PATH
    assert socket_path(home) != socket_path(tmp_path / ("Long" * 40))
    assert socket_path(Path("/short")) == Path("/short/supervisor.sock")


def test_kafka_makes_no_topic_by_itself_and_stays_on_this_machine(tmp_path):
    lines = dict(line.split("=", 1) for line in kafka.broker.properties(settings(tmp_path)).splitlines())
    assert lines["auto.create.topics.enable"] == "false"
    assert "127.0.0.1" in lines["listeners"] and "0.0.0.0" not in lines["listeners"]


def test_fsync_is_on_unless_a_test_turns_it_off(tmp_path):
    assert "fsync = on" in postgres.configuration(settings(tmp_path))
    assert "fsync = off" in postgres.configuration(settings(tmp_path, postgres_fsync=False))


def test_a_folder_closed_to_the_system_user_is_named(tmp_path):
    inner = tmp_path / "closed" / "inner"
    inner.mkdir(parents=True)
    for folder in (inner, inner.parent):
        folder.chmod(0o755)
    stranger = pwd.struct_passwd(("stranger", "x", 54321, 54321, "", "/", "/bin/false"))
    opened = [path for path in (inner, *inner.parents) if not path.stat().st_mode & 0o001]
    assert postgres.closed_to(inner, stranger) == (opened[-1] if opened else None)
    inner.parent.chmod(0o700)
    assert postgres.closed_to(inner, stranger) == (opened[-1] if opened else inner.parent)
