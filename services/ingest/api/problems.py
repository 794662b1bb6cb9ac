"""Answers that are not success: RFC 9457 problem documents with stable codes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from services.ingest.domain import Fault
from services.ingest.ports import Unread

_TITLES = {
    400: "The request cannot be read",
    401: "The write key is not known",
    404: "There is no such address",
    405: "The method is not allowed here",
    409: "What was sent does not follow what is there",
    429: "Too many events at the moment",
    503: "Events cannot be kept at the moment",
}


class Reply(NamedTuple):
    """One HTTP answer, CORS headers aside."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


def problem(status: int, code: str, detail: str, *, retry_after_s: int | None = None, **more: Any) -> Reply:
    """more: further members of the document, such as `errors`."""
    document = {
        "type": f"urn:otklik:problem:{code}",
        "title": _TITLES[status],
        "status": status,
        "detail": detail,
        "code": code,
        **more,
    }
    headers: tuple[tuple[bytes, bytes], ...] = ((b"content-type", b"application/problem+json"),)
    if retry_after_s is not None:
        headers += ((b"retry-after", str(retry_after_s).encode()),)
    return Reply(status, msgspec.json.encode(document), headers)


def malformed(fault: Fault) -> Reply:
    """The request as a whole is refused."""
    return problem(400, fault.code, f"{fault.message} Mend: {fault.mend}.", errors=[told(None, fault)])


def told(index: int | None, fault: Fault) -> dict[str, Any]:
    """A fault as one entry of `errors`; index: of the event in its batch."""
    entry = msgspec.structs.asdict(fault)
    return entry if index is None else {"index": index, **entry}


def faulty(faults: Sequence[Unread], accepted: int) -> Reply:
    """The strict answer to a batch with refused events: the others are kept."""
    detail = f"{len(faults)} refused, {accepted} accepted. Accepted events may be sent again: they count once."
    return problem(400, "events_refused", detail, accepted=accepted, errors=[told(one.index, one.fault) for one in faults])
