"""The month as calls of the public tracking API: a pure function of the file and a seed.

Real, line by line, is what the file says: orders and cancellations with their goods, prices, minutes, customer numbers and countries,
and its dirt, which goes as it is. Notes of the stock room (nothing sold, no customer) are sent as the back office would send them, as
orders of nobody, and are refused; so are orders of more than 32 KB (a day's guests on one invoice).

Simulated, because the file has none of it: names, addresses and zones; the visit before each order (pages, goods put into the
basket, the log-in); sign-up and consent at the first order of the month; baskets that are left, by known people and by nobody known
yet; calls that are sent twice (every hundredth); and a till that now and then first says the time in a form that nobody can read.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deploy.demo.people import Person, draw, person
from deploy.demo.source import Invoice, Line

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
SHOWN = 4  # of an order's goods, so many are put into the basket before our eyes
CONSENTS = 0.8  # of those who sign up
SAME_DEVICE = 0.7
LEFT = 1 / 3  # baskets left by known people, for each order
NAMELESS = 1 / 4  # first orders before which the same device had left a basket, still without a name
TWICE = 0.01
BAD_TILL = 1 / 150


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the tracking API. at: when it is sent (UTC ms); body["timestamp"] says when it happened."""

    at: int
    body: Mapping[str, Any]


def start_of(invoices: Sequence[Invoice]) -> int:
    """Midnight before the first invoice, UTC ms."""
    return min(invoice.at for invoice in invoices) // DAY * DAY


def end_of(invoices: Sequence[Invoice], days: int | None = None) -> int:
    """Midnight after the last invoice, or after so many days, UTC ms."""
    last = start_of(invoices) + (days - 1) * DAY if days is not None else max(invoice.at for invoice in invoices)
    return last // DAY * DAY + DAY


def tell(invoices: Sequence[Invoice], seed: int, days: int | None = None) -> list[Call]:
    """All calls, in the order in which they are sent. days: of the story, from its first midnight; None: all."""
    start, end = start_of(invoices), end_of(invoices, days)
    calls = list(_all(invoices, seed))  # all of them, so that a shorter story is the beginning of the whole one
    calls += [_again(call, seed) for call in calls if _fit(call) and draw(seed, "twice", call.body["messageId"]) < TWICE]
    return sorted((call for call in calls if start <= call.at < end), key=lambda call: (call.at, call.body["messageId"]))


def _all(invoices: Sequence[Invoice], seed: int) -> Iterator[Call]:
    goods = [
        [line for line in one.lines if line.price > 0 and line.name][:SHOWN] for one in invoices if one.sold and not one.cancels
    ]
    known: set[str] = set()
    for invoice in invoices:
        if invoice.cancels:
            yield _cancelled(invoice, seed)
        elif not invoice.sold:
            yield _call(invoice.at, "track", f"{invoice.number}:order", event="Order Completed", properties=_order(invoice))
        else:
            visit = _Visit(invoice, seed)
            yield from visit.ordered(is_first=invoice.customer not in known)
            if visit.who is not None:
                yield from _left(visit, goods)
            known.add(invoice.customer)


class _Visit:
    """A person (None: a guest) with a device in the shop, and the order at the end."""

    def __init__(self, invoice: Invoice, seed: int) -> None:
        self.invoice, self.seed = invoice, seed
        number = invoice.number
        self.who = person(seed, invoice.customer, invoice.country) if invoice.customer else None
        own = self.who is not None and draw(seed, "device", number) < SAME_DEVICE
        self.device = f"d-{invoice.customer}" if own else f"d-{invoice.customer or 'guest'}-{number}"
        self.at = invoice.at + int(draw(seed, "second", number) * 59_000)

    def chance(self, what: str) -> float:
        return draw(self.seed, what, self.invoice.number)

    def ordered(self, *, is_first: bool) -> Iterator[Call]:
        """Pages, goods, basket, log-in, order; at the first one, sign-up and consent."""
        number, who = self.invoice.number, self.who
        came = self.at - 2 * MINUTE - int(self.chance("came") * 8 * MINUTE)
        if who is not None and is_first and self.chance("nameless") < NAMELESS:
            earlier = came - DAY + int(self.chance("earlier") * HOUR)
            yield from _basket(
                f"{number}:earlier", earlier, self.device, [line for line in self.invoice.lines if line.name][:SHOWN]
            )
        yield from _basket(number, came, self.device, [line for line in self.invoice.lines if line.name][:SHOWN])
        if who is not None:
            yield _identified(f"{number}:identify", self.at - 20_000, who, self.device)
        whose = {"anonymousId": self.device, **({"userId": who.id} if who else {})}
        order = _call(self.at, "track", f"{number}:order", whose, event="Order Completed", properties=_order(self.invoice))
        if self.chance("till") < BAD_TILL:
            yield _bad_till(order)
        yield order
        if who is not None and is_first:
            yield from _signed_up(number, self.at, who, consents=draw(self.seed, "consent", who.id) < CONSENTS)


def _basket(name: str, came: int, device: str, goods: Sequence[Line], who: Person | None = None) -> Iterator[Call]:
    """A visit that puts goods into the basket and looks at it. who: logs in when he comes."""
    whose = {"anonymousId": device}
    yield _call(came, "page", f"{name}:home", whose, name="Home", properties={"path": "/"})
    if who is not None:
        yield _identified(f"{name}:identify", came + 5_000, who, device)
    step = 100_000 // (len(goods) + 1)
    for place, line in enumerate(goods):
        at = came + 6_000 + place * step
        yield _call(at, "page", f"{name}:page{place}", whose, name="Product", properties={"path": f"/goods/{line.sku}"})
        yield _call(at + 3_000, "track", f"{name}:add{place}", whose, event="Product Added", properties=_priced([line])[0])
    seen = {"cart_id": name, "products": _priced(goods), "currency": "GBP"}
    yield _call(came + 107_000, "track", f"{name}:cart", whose, event="Cart Viewed", properties=seen)


def _left(visit: _Visit, goods: Sequence[Sequence[Line]]) -> Iterator[Call]:
    """Some days after an order the same person fills a basket and goes away."""
    if visit.chance("left") >= LEFT or visit.who is None:
        return
    day = visit.at // DAY * DAY + (1 + int(visit.chance("days") * 6)) * DAY
    came = day + 9 * HOUR + int(visit.chance("hour") * 9 * HOUR)
    number = visit.invoice.number
    chosen = goods[int(visit.chance("goods") * len(goods))]
    if visit.chance("left device") < SAME_DEVICE:
        yield from _basket(f"{number}:left", came, visit.device, chosen)
    else:
        yield from _basket(f"{number}:left", came, f"d-{visit.invoice.customer}-{number}-phone", chosen, visit.who)


def _identified(name: str, at: int, who: Person, device: str) -> Call:
    traits = {
        "email": who.email,
        "firstName": who.first_name,
        "country": who.country,
        "timezone": who.time_zone,
        "language": who.language,
    }
    return _call(at, "identify", name, {"anonymousId": device, "userId": who.id}, traits=traits)


def _signed_up(number: str, at: int, who: Person, *, consents: bool) -> Iterator[Call]:
    whose = {"userId": who.id}
    if consents:
        said = {"channel": "email", "topic": "*"}
        yield _call(at + 1_000, "track", f"{number}:consent", whose, event="Consent Granted", properties=said)
    yield _call(at + 2_000, "track", f"{number}:signup", whose, event="Signed Up", properties={"method": "checkout"})


def _cancelled(invoice: Invoice, seed: int) -> Call:
    """By the back office, in the customer's name; a guest's names a device that nobody has."""
    whose = (
        {"userId": person(seed, invoice.customer, invoice.country).id}
        if invoice.customer
        else {"anonymousId": f"d-guest-{invoice.number}"}
    )
    return _call(invoice.at, "track", f"{invoice.number}:order", whose, event="Order Cancelled", properties=_order(invoice))


def _order(invoice: Invoice) -> dict[str, Any]:
    return {
        "order_id": invoice.number,
        "revenue": float(invoice.revenue),
        "currency": "GBP",
        "country": invoice.country,
        "products": _priced(invoice.lines),
    }


def _priced(lines: Sequence[Line]) -> list[dict[str, Any]]:
    return [
        {"product_id": line.sku, "name": line.name, "quantity": line.quantity, "price": float(line.price), "currency": "GBP"}
        for line in lines
    ]


def _bad_till(order: Call) -> Call:
    """The same order with its time as the original spreadsheet had it."""
    at = datetime.fromtimestamp(order.at / 1000, UTC)
    body = {**order.body, "messageId": f"{order.body['messageId']}:till", "timestamp": f"{at.month}/{at.day}/{at.year} {at:%H:%M}"}
    return Call(order.at - 1_000, body)


def _again(call: Call, seed: int) -> Call:
    """Sent once more within the hour and a half, by a client that did not get the answer."""
    wait = MINUTE + int(draw(seed, "again", call.body["messageId"]) * 89 * MINUTE)
    return Call(call.at + wait, call.body)


def _fit(call: Call) -> bool:
    """Calls that will be refused are not sent twice: each of them is one dead letter."""
    somebody = "anonymousId" in call.body or "userId" in call.body
    return (
        somebody and not call.body["messageId"].endswith(":till") and len(call.body.get("properties", {}).get("products", ())) < 250
    )


def _call(at: int, kind: str, message: str, whose: Mapping[str, str] | None = None, **more: Any) -> Call:
    told = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Call(at, {"type": kind, "messageId": message, "timestamp": told, **(whose or {}), **more})
