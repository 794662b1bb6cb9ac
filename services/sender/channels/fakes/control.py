"""What tests ask of every fake: `GET /accepted`, what it took and refused; `POST /script` {"address", "faults"}, what comes next."""

from .http_server import Answer, Request
from .record import Record, Script


def answered(request: Request, record: Record, script: Script) -> Answer | None:
    """None: it is a call of the provider's own."""
    if request.path == "/accepted":
        return Answer(200, {"accepted": record.accepted, "faults": dict(record.refused)})
    if request.path == "/script":
        body = request.json()
        script.put(str(body["address"]), [str(fault) for fault in body["faults"]])
        return Answer(200, {"ok": True})
    return None
