"""What `otklik run all`, the image's own command, hands to the machine."""

from deploy import cli
from deploy.local.settings import HOSTED, SERVICES


def test_one_process_gets_every_service(monkeypatch):
    handed = []
    monkeypatch.setattr("runtime.process.main", handed.extend)
    assert cli.main(["run", "all"]) == 0
    assert [service.name for service in handed] == [*SERVICES, *HOSTED]


def test_a_service_without_a_process_comes_with_its_host(monkeypatch):
    handed = []
    monkeypatch.setattr("runtime.process.main", handed.extend)
    assert cli.main(["run", "gateway"]) == 0
    assert [service.name for service in handed] == ["gateway", "experiments"]
