"""What stands in for Telegram, VK and SMSC in a local run: the real adapters talk to it, and what they sent can be looked at."""

from contextlib import asynccontextmanager

import httpx

from deploy.fakes.desk import Desk
from deploy.local import run
from schemas.bots import Shown
from services.sender.channels.contract import Outcome, Rendered
from services.sender.channels.smsc import SmscChannel, SmscSettings
from services.sender.channels.telegram import TelegramChannel, TelegramSettings
from services.sender.channels.vk import VkChannel, VkSettings


@asynccontextmanager
async def desk(folder):
    """A client of the pages, and the two adapters."""
    made = Desk(folder)
    base = f"http://127.0.0.1:{await made.start()}"
    telegram = TelegramChannel(TelegramSettings("local", f"{base}/telegram"))
    sms = SmscChannel(SmscSettings(apikey="local", base_url=f"{base}/smsc"))
    try:
        async with httpx.AsyncClient(base_url=base, trust_env=False) as http:
            yield http, telegram, sms
    finally:
        await telegram.close()
        await sms.close()
        await made.stop()


def message(address: str, text: str) -> Rendered:
    return Rendered(key=f"key-{address.lstrip('+')}", address=address, text=text)


async def shown(http: httpx.AsyncClient) -> list[tuple[str, str, str]]:
    return [(one["channel"], one["to"], one["text"]) for one in (await http.get("/api/messages")).json()["messages"]]


async def test_what_the_adapters_send_is_shown_and_survives_its_process(tmp_path):
    async with desk(tmp_path) as (http, telegram, sms):
        assert (await telegram.send(message("77", "Hello <b>Ann</b>"))).outcome is Outcome.ACCEPTED
        assert (await sms.send(message("+79161234567", "Привет"))).outcome is Outcome.ACCEPTED
        assert await shown(http) == [("telegram", "77", "Hello <b>Ann</b>"), ("sms", "79161234567", "Привет")]
        page = await http.get("/")
        assert (
            page.headers["content-type"].startswith("text/html") and "default-src 'none'" in page.headers["content-security-policy"]
        )
        assert "Hello &lt;b&gt;Ann&lt;/b&gt;" in page.text and "Привет" in page.text
        assert (await http.get("/readyz")).is_success and (await http.get("/mails")).status_code == 404
    with (tmp_path / "sms.jsonl").open("a") as file:
        file.write('{"at": 17')  # killed while it wrote
    async with desk(tmp_path) as (http, telegram, sms):
        assert (await telegram.send(message("78", "Second"))).provider_id == "2"
        assert (await sms.send(message("+79161234568", "Third"))).outcome is Outcome.ACCEPTED
    async with desk(tmp_path) as (http, _, _):
        assert [text for _, _, text in await shown(http)] == ["Hello <b>Ann</b>", "Привет", "Second", "Third"]


async def test_messages_of_a_community_are_shown_with_their_buttons_which_a_player_presses(tmp_path):
    async with desk(tmp_path) as (http, _, _):
        vk = VkChannel(VkSettings("local", f"{http.base_url}/vk"))
        letter = Rendered(key="k", address="88", text="Hello", buttons=(Shown("<Play>", "s:quiz"),))
        assert (await vk.send(letter)).outcome is Outcome.ACCEPTED
        await vk.close()
        (one,) = (await http.get("/api/messages")).json()["messages"]
        assert (one["channel"], one["to"], one["text"], one["buttons"]) == ("vk", "88", "Hello", ["<Play>"])
        assert "[&lt;Play&gt;]" in (await http.get("/")).text
        for provider, play in (("vk", {"user_id": 88, "press": "<Play>"}), ("telegram", {"chat_id": 77, "text": "hi"})):
            answer = await http.post(f"/{provider}/play", json=play)
            assert answer.json() == {"status": 0}, "no webhook is set"


async def test_numbers_that_name_a_fault_meet_it(tmp_path):
    async with desk(tmp_path) as (http, telegram, sms):
        assert (await telegram.send(message("79000004030", "x"))).outcome is Outcome.BLOCKED_BY_USER
        assert (await sms.send(message("+79000000030", "x"))).code == "smsc:3 no_funds"
        assert await shown(http) == []


def test_a_local_run_reaches_nobody_outside_unless_he_is_named(local_settings, tmp_path, monkeypatch):
    for name in ("OTKLIK_TELEGRAM_TOKEN", "OTKLIK_TELEGRAM_URL", "OTKLIK_VK_URL", "OTKLIK_SMSC_APIKEY", "OTKLIK_SMSC_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OTKLIK_TELEGRAM_TOKEN", "1:real")  # left over in a shell, perhaps
    settings = local_settings(tmp_path)
    told = run.environment(settings, "postgresql://")
    base = f"http://127.0.0.1:{settings.fakes_port}"
    assert (told["OTKLIK_TELEGRAM_URL"], told["OTKLIK_SMSC_URL"]) == (f"{base}/telegram", f"{base}/smsc")
    assert told["OTKLIK_VK_URL"] == f"{base}/vk" and told["OTKLIK_VK_TOKEN"]
    assert told["OTKLIK_SMSC_APIKEY"] and "fakes" in [program.name for program in run.declared(settings)]
    monkeypatch.setenv("OTKLIK_SMSC_URL", "https://smsc.example")
    assert run.environment(settings, "postgresql://")["OTKLIK_SMSC_URL"] == "https://smsc.example"
