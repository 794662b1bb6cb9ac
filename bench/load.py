"""The load: 60 % anonymous page views, 20 % product views, 10 % identify, 10 % orders, of people drawn by zipf (or evenly). Seeded."""

import asyncio
import base64
import itertools
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

PAGE = (
    '{"type":"page","messageId":"%s","anonymousId":"a%d","name":"Home","timestamp":"%s","properties":{"path":"/p/%d","title":"Gifts and more",'
    '"referrer":"https://search.example/?q=gifts","url":"https://shop.example/p/%d"},"context":{"library":{"name":"bench","version":"1.0.0"},'
    '"page":{"path":"/p/%d"},"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36","locale":"en-GB"}}'
)
PRODUCT = (
    '{"type":"track","event":"Product Viewed","messageId":"%s","anonymousId":"a%d","timestamp":"%s","properties":{"product_id":"%d",'
    '"sku":"SKU-%d","category":"cat_%d","name":"White hanging heart t-light holder","price":2.55,"currency":"GBP","position":3},'
    '"context":{"library":{"name":"bench","version":"1.0.0"},"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"}}'
)
IDENTIFY = (
    '{"type":"identify","messageId":"%s","anonymousId":"a%d","userId":"u%d","timestamp":"%s","traits":{"email":"u%d@customers.example",'
    '"name":"Customer %d","plan":"%s","score":%d,"city":"%s"},"context":{"library":{"name":"bench","version":"1.0.0"}}}'
)
ORDER = (
    '{"type":"track","event":"Order Completed","messageId":"%s","userId":"u%d","timestamp":"%s","properties":{"order_id":"o%s","revenue":%d.50,'
    '"currency":"GBP","n":%d,"mail":%s,"later":%s,"products":[{"sku":"SKU-1","price":2.55,"quantity":6},{"sku":"SKU-2","price":3.39,"quantity":8}]},'
    '"context":{"library":{"name":"bench","version":"1.0.0"}}}'
)
CONSENT = (
    '{"type":"track","event":"Consent Granted","messageId":"%s","userId":"u%d","timestamp":"%s","properties":{"channel":"email"}}'
)
LATER_S = 5.0  # the wait of the journey `later`: its mails follow a timer
_JSON = {True: "true", False: "false"}
CITIES = ("London", "Leeds", "York", "Bath", "Ely", "Truro", "Wells", "Ripon")


@dataclass
class Load:
    """Makes batches. people: how many; spread: "zipf" or "even"; mail_share: share of orders that end in a mail at once; a fifth
    as many get one by a timer. mails: number of the order -> the instant that its mail is measured from, the 2xx or the timer's."""

    people: int
    spread: str = "zipf"
    seed: int = 1
    mail_share: float = 0.25
    sent: int = 0
    mails: dict[int, float] = field(default_factory=dict)
    closing: bool = False  # no order that would get its mail after the load has ended

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._number = itertools.count()
        if self.spread == "zipf":
            weights = [1 / (rank + 10) ** 0.9 for rank in range(self.people)]
            self._drawn = itertools.cycle(self._random.choices(range(self.people), weights, k=1_000_000))
        else:
            self._drawn = itertools.cycle(self._random.choices(range(self.people), k=1_000_000))

    def batch(self, size: int) -> tuple[bytes, dict[int, float]]:
        """The body of one /v1/batch and the numbers of its orders that will be mailed, with the wait of their journey (s)."""
        now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + ".000Z"
        mailed: dict[int, float] = {}
        items = [self._event(now, mailed) for _ in range(size)]
        return f'{{"batch":[{",".join(items)}],"sentAt":"{now}"}}'.encode(), mailed

    def _event(self, now: str, mailed: dict[int, float]) -> str:
        number = next(self._number)
        person = next(self._drawn)
        message = f"{self.seed}-{number}"
        kind = number % 10
        if kind < 6:
            return PAGE % (message, person, now, number % 997, number % 997, number % 997)
        if kind < 8:
            return PRODUCT % (message, person, now, number % 5000, number % 5000, number % 40)
        if kind == 8:
            return self.identify(message, person, now, number)
        drawn = self._random.random()
        mail, later = drawn < self.mail_share, self.mail_share <= drawn < self.mail_share * 1.2 and not self.closing
        if mail or later:
            mailed[number] = LATER_S if later else 0.0
        return ORDER % (message, person, now, message, number % 90, number, _JSON[mail], _JSON[later])

    def identify(self, message: str, person: int, now: str, number: int) -> str:
        """Each login tells again what is known; one in ten brings a new score, and with it other segments."""
        plan = "free" if person % 3 else "paid"
        score = number if number // 10 % 10 == 0 else person * 37
        return IDENTIFY % (message, person, person, now, person, person, plan, score % 100, CITIES[person % 8])

    def introductions(self, size: int) -> Iterator[bytes]:
        """Batches that make everybody known and consenting, once."""
        now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + ".000Z"
        for start in range(0, self.people, size):
            items = []
            for person in range(start, min(self.people, start + size)):
                items.append(self.identify(f"i{self.seed}-{person}", person, now, person))
                items.append(CONSENT % (f"c{self.seed}-{person}", person, now))
            yield f'{{"batch":[{",".join(items)}],"sentAt":"{now}"}}'.encode()


class Poster:
    """Posts bodies over kept connections, as small as a client can be: the load shares the machine with what it loads."""

    def __init__(self, host: str, port: int, write_key: str) -> None:
        self._host, self._port = host, port
        self._authorization = "Basic " + base64.b64encode(f"{write_key}:".encode()).decode()
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.refused = 0

    async def post(self, path: str, body: bytes) -> int:
        reader, writer = self._free.pop() if self._free else await asyncio.open_connection(self._host, self._port)
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {self._authorization}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        status = int(answer[9:12])
        length = int(answer.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        await reader.readexactly(length)
        self._free.append((reader, writer))
        if status != 200:
            self.refused += 1
        return status


async def at_rate(load: Load, poster: Poster, rate: float, seconds: float, size: int, workers: int = 8) -> float:
    """Post batches of `size` at `rate` facts a second (0: as fast as answers come). Returns the seconds it took."""
    start = time.perf_counter()
    turns = itertools.count()

    async def work() -> None:
        while True:
            turn = next(turns)
            due = start + turn * size / rate if rate else 0
            if (due or time.perf_counter()) - start >= seconds:
                return
            wait = due - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            load.closing = time.perf_counter() - start > seconds - LATER_S - 1
            body, mailed = load.batch(size)
            if await poster.post("/v1/batch", body) == 200:
                now = time.time()
                load.sent += size
                load.mails.update({number: now + wait for number, wait in mailed.items()})

    await asyncio.gather(*(work() for _ in range(workers)))
    return time.perf_counter() - start


@asynccontextmanager
async def orders(poster: Poster, people: int, rate: float, first: int = 0) -> AsyncIterator[dict[int, float]]:
    """Orders that are mailed, `rate` a second of one person after the other, each posted by itself, while the block runs: number of the
    order (the first has `first`) -> when it was answered (s). Their messages are called "o-<number>".
    """
    answered: dict[int, float] = {}
    under_way: set[asyncio.Task[None]] = set()

    async def one(number: int) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + ".000Z"
        item = ORDER % (f"o-{number}", number * 7919 % people, now, f"o-{number}", 10, number, "true", "false")
        if await poster.post("/v1/batch", f'{{"batch":[{item}],"sentAt":"{now}"}}'.encode()) == 200:
            answered[number] = time.time()

    async def pace() -> None:
        start = time.perf_counter()
        for number in itertools.count(first):
            await asyncio.sleep(max(0.0, start + (number - first) / rate - time.perf_counter()))
            task = asyncio.create_task(one(number))
            under_way.add(task)
            task.add_done_callback(under_way.discard)

    posting = asyncio.create_task(pace())
    try:
        yield answered
    finally:
        posting.cancel()
        with suppress(asyncio.CancelledError):
            await posting
        await asyncio.gather(*under_way)
