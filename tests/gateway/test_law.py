"""A copy is whole or is none, and an erasure is done when it is."""

from typing import Any
from uuid import uuid4

import pytest

from schemas.topics import DAY_MS, FACTS
from services.gateway.api import law
from services.gateway.api.neighbours import Neighbours
from services.gateway.domain.problems import Problem
from services.gateway.handler.keys import validated
from services.profile.__main__ import service as profile
from tests.gateway.conftest import open_site, problem_of
from tests.support.live import T0, settings

ANN, BOB = str(uuid4()), str(uuid4())
SETTINGS = settings("", "", "")
ACT = {"act": str(uuid4()), "profile": ANN, "others": [BOB], "kinds": ["email", "user_id"], "done_at": T0}
MAIL = "ann@example.org"


class Told(Neighbours):
    """Answers as it is told to: (service, path) -> (status, JSON), or pages of a list."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {tuple(name.split("__")): answer for name, answer in answers.items()}
        self.asked: list[tuple[str, str, dict[str, Any]]] = []

    async def ask(self, service: str, path: str, **params: Any) -> tuple[int, Any]:
        self.asked.append((service, path, params))
        found = self.answers[service, path.rpartition("/")[2].replace(ANN, "ann")]
        if not isinstance(found, list):
            return found
        page = int(params.get("next", "0"))
        return 200, {"items": found[page], "next": str(page + 1) if page + 1 < len(found) else None}


def whole(**more: Any) -> Told:
    person = {"id": ANN, "merged": [BOB], "identifiers": []}
    held = {f"{name}__held": (200, {"of": name}) for name in law.KEEPERS}
    lists = {"profile__consents": [[1], [2]], "warehouse__timeline": [[3], [4], [5]], "warehouse__decisions": [[6]]}
    return Told(profile__ann=(200, person), **{**held, **lists, **more})


async def test_a_copy_has_every_page_of_every_list():
    asked = whole()
    told = await law._copy(asked, ANN)
    assert (told["consents"], told["timeline"], told["decisions"]) == ([1, 2], [3, 4, 5], [6])
    assert all(told[name] == {"of": name} for name in law.KEEPERS)
    everybody = [params["profiles"] for service, _, params in asked.asked if service != "profile"]
    assert set(everybody) == {f"{ANN},{BOB}"}


@pytest.mark.parametrize(
    "part", ["sender__held", "profile__consents", "warehouse__timeline", "segmenter__held", "warehouse__decisions"]
)
async def test_a_copy_without_a_part_is_none(part):
    with pytest.raises(Problem) as raised:
        await law._copy(whole(**{part: (422, {"code": "no"})}), ANN)
    assert raised.value.code == "service_unavailable"


def sender(person: tuple[int, Any], **addresses: str) -> Told:
    return Told(profile__ann=person, sender__held=(200, {"addresses": addresses}))


@pytest.mark.parametrize(
    ("identifiers", "addresses", "done"),
    [
        ([], {"email": MAIL}, False),
        ([], {}, True),
        ([], {"phone": "+79990001122"}, True),
        (["email:new@example.org"], {"email": MAIL}, False),
        (["email:new@example.org"], {"email": "new@example.org"}, True),
    ],
)
async def test_addresses_are_gone_when_the_sender_has_none_of_them(identifiers, addresses, done):
    asked = sender((200, {"id": BOB, "merged": [ANN], "identifiers": identifiers}), **addresses)
    told = await law._proof(asked, ACT, SETTINGS)
    assert (told["done"], told["steps"]) == (done, {"profile": {"emptied": T0}})
    assert asked.asked[-1][2] == {"profiles": f"{BOB},{ANN}"}, "by who he is now"


async def test_addresses_of_somebody_who_went_whole_since_are_gone_when_the_sender_has_heard_of_it():
    gone = (404, {"code": "not_found"})
    assert not (await law._proof(sender(gone, email=MAIL), ACT, SETTINGS))["done"]
    assert (await law._proof(sender(gone), ACT, SETTINGS))["done"]


async def test_a_whole_person_is_gone_when_everybody_says_so():
    act = {**ACT, "kinds": None}
    steps = {f"{name}__erased": (200, {"emptied": T0}) for name in law.KEEPERS}
    late = Told(**steps, warehouse__erased=(200, {"hidden": T0, "rewritten": None}))
    assert not (await law._proof(late, act, SETTINGS))["done"]
    done = await law._proof(Told(**steps, warehouse__erased=(200, {"hidden": T0, "rewritten": T0})), act, SETTINGS)
    assert done["done"] and done["steps"].keys() == {"profile", *law.KEEPERS, "warehouse"}
    with pytest.raises(Problem):
        await law._proof(Told(**steps, warehouse__erased=(404, {"code": "unknown_service"})), act, SETTINGS)


async def test_the_log_expires_as_it_is_set():
    nobody = {**ACT, "kinds": [], "profile": ANN}
    assert (await law._proof(Told(), nobody, SETTINGS))["expiring"]["log"] == T0 + FACTS.retention_ms
    long = SETTINGS.model_copy(update={"retention_ms": 30 * DAY_MS})
    assert (await law._proof(Told(), nobody, long))["expiring"]["log"] == T0 + 30 * DAY_MS
    assert (await law._proof(Told(), {**nobody, "profile": None}, long))["expiring"] == {}


def test_identifiers_of_kinds_of_a_companys_own_can_be_forgotten():
    assert validated(law.Forgetting, {"reason": "x", "only": ["email", "id.card"]}).only == ("email", "id.card")
    for unknown in ("card", "id.Card", "id."):
        with pytest.raises(Problem) as raised:
            validated(law.Forgetting, {"reason": "x", "only": ["email", unknown]})
        (fault,) = raised.value.faults
        assert fault.path == "only.1" and "id.<name>" in fault.told("en")["message"]


async def test_acts_that_cannot_be_are_no_acts(config):
    async with open_site(config, profile()) as site:
        for act in ("x", "a.b", str(uuid4())):
            problem_of(await site.http.get(f"/api/erasures/{act}"), 404, "erasure_not_found")
