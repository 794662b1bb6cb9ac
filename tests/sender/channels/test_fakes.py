"""What the oracle relies on: the record is complete before the client is answered, and scripts are met in order."""

import json

import httpx

from services.sender.channels.fakes.record import Record, Script
from services.sender.channels.fakes.smtp import SmtpFake, control
from services.sender.channels.smtp import SmtpChannel
from services.sender.channels.smtp_settings import SmtpSettings


async def test_the_record_is_on_disk_when_the_client_is_answered_and_the_control_port_scripts(tmp_path, message):
    path = tmp_path / "accepted.jsonl"
    fake = SmtpFake(record=Record(path))
    port, server = await fake.start(), control(fake)
    channel = SmtpChannel(SmtpSettings("127.0.0.1", port, tls="never"))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{await server.start()}", trust_env=False) as http:
        await http.post("/script", json={"address": "*", "faults": ["policy554"]})
        letters = [message(f"a{n}@example.org") for n in range(3)]
        results = [(await channel.send(letter)).outcome for letter in letters]
        assert results == ["policy", "accepted", "accepted"]
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert [line["message_id"] for line in lines] == [letter.message_id for letter in letters[1:]]
        seen = (await http.get("/accepted")).json()
        assert seen["accepted"] == lines
        assert seen["faults"] == {"policy554": 1}
    await channel.close()
    await server.stop()
    await fake.stop()


def test_scripts_go_before_patterns_and_once_is_once_per_address():
    script = Script()
    script.put("a", ["x", "y"])
    script.put("*", ["z"])
    assert [script.next("a", "p") for _ in range(4)] == ["x", "y", "z", "p"]
    assert [script.next(name, "grey-once") for name in ("b", "b", "c", "b")] == ["grey", "", "grey", ""]
