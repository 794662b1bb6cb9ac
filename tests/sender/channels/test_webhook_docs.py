"""The receivers of docs/webhooks-out.md, run as they stand there, take what the sender signs and nothing else."""

import base64
import json
import re
import subprocess
import time
from pathlib import Path

import pytest

from schemas.webhooks import shown
from services.sender.channels.fakes.webhook import verified
from services.sender.channels.webhook_signature import headers as sign

PAGE = (Path(__file__).parents[3] / "docs/webhooks-out.md").read_text(encoding="utf-8")
OLD, NEW = b"o" * 32, b"n" * 32
BODY = '{"name": "Анна"}'.encode()


def example(language: str) -> str:
    (text,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return text


def by_python(secret: str, headers: dict[str, str], body: bytes) -> bool:
    names: dict = {}
    exec(example("python"), names)
    return names["verify"](secret, headers, body)


def by_node(secret: str, headers: dict[str, str], body: bytes) -> bool:
    call = f"console.log(verify({json.dumps(secret)}, {json.dumps(headers)}, Buffer.from({json.dumps(body.hex())}, 'hex')))"
    made = subprocess.run(["node", "-e", f"{example('js')}\n{call}"], capture_output=True, text=True, check=True, timeout=60)
    return {"true": True, "false": False}[made.stdout.strip()]


def by_fake(secret: str, headers: dict[str, str], body: bytes) -> bool:
    return verified(body, headers, secret, time.time())


@pytest.mark.parametrize("verify", [by_python, by_node, by_fake])
def test_a_receiver_takes_what_is_signed_by_its_secret_just_now(verify):
    now = int(time.time())
    told = dict(sign("id-1", now, BODY, [NEW, OLD]))
    assert verify(shown(NEW), told, BODY) and verify(shown(OLD), told, BODY)
    assert not verify(shown(b"x" * 32), told, BODY)
    assert not verify(shown(NEW), told, BODY + b" ")
    assert not verify(shown(NEW), {**told, "webhook-id": "id-2"}, BODY)
    assert not verify(shown(NEW), {**told, "webhook-timestamp": str(now - 1)}, BODY)
    assert not verify(shown(NEW), dict(sign("id-1", now - 400, BODY, [NEW])), BODY)
    assert not verify(shown(NEW), {**told, "webhook-signature": told["webhook-signature"].replace("v1,", "v2,")}, BODY)


def test_the_example_of_the_rules_themselves():
    """The signature that the text of Standard Webhooks gives for this secret, id, time and body."""
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    told = dict(sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, [base64.b64decode(secret.removeprefix("whsec_"))]))
    assert told["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
