"""Imports over HTTP, for the gateway: it has checked who asks and for which brand. On the admin port, never open to the outside."""

import csv
import io
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from services.ingest.domain import DELIMITERS, ENCODINGS, Fault, Malformed, bind, read_mapping
from services.ingest.domain import Mapping as Document
from services.ingest.handler.upload import Upload
from services.ingest.settings import IngestSettings
from services.ingest.store import Brands, Imports

from .multipart import Part, boundary_of, parts
from .problems import Reply, malformed, problem, told

_MAX_MAPPING = 65_536
_LARGEST = 2**62
_JSON = "application/json"
_NOT_FOUND = problem(404, "import_unknown", "There is no import with this id.")

Now = Callable[[], int]


class ImportsApi:
    """`POST /internal/imports` (a form with `mapping` and `file`, or a raw CSV body with `?mapping=`) -> {id}; the rest looks."""

    def __init__(self, imports: Imports, settings: IngestSettings, now: Now, wake: Callable[[], None]) -> None:
        self._imports, self._settings, self._now, self._wake = imports, settings, now, wake

    async def create(self, request: Request) -> Response:
        key = request.headers.get("idempotency-key")
        name = request.query_params.get("name", "")[:200]
        job, new = await self._imports.create(name, key[:200] if key else None, self._now())
        if not new:
            return answer({"id": job}, 202)
        started = False
        try:
            faults = await self._taken(request, job)
            started = not faults
            return _refusal(faults) if faults else answer({"id": job}, 202)
        except Malformed as refused:
            return _plain(malformed(refused.fault))
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        finally:
            if started:
                self._wake()
            else:
                await self._imports.drop(job)

    async def _taken(self, request: Request, job: str) -> list[Fault]:
        """Takes the file in and lets its import start, unless the mapping does not fit it."""
        upload = Upload(self._imports, job, self._settings.import_max_bytes)
        asked = bytearray(request.query_params.get("mapping", "").encode())
        async for part in _pieces(request):
            if part.name == "mapping":
                asked += part.data
                if len(asked) > _MAX_MAPPING:
                    raise Malformed("mapping", "mapping_wrong", "The mapping is larger than 64 KB.", "send a smaller one")
            elif part.name == "file":
                await upload.feed(part.data)
        await upload.end()
        if not asked:
            raise Malformed("mapping", "mapping_missing", "There is no mapping.", "send the field `mapping` with JSON")
        mapping = self._complete(read_mapping(bytes(asked)), brands_of(request))
        encoding = upload.encoding(mapping.encoding)
        plan = bind(mapping, upload.columns(encoding, mapping.delimiter))
        if isinstance(plan, list):
            return plan
        await self._imports.start(job, mapping, encoding, upload.size, self._now())
        return []

    def _complete(self, mapping: Document, brands: Brands) -> Document:
        """With what the installation says where the mapping says nothing."""
        brand = mapping.brand or (brands[0] if brands is not None and len(brands) == 1 else self._settings.first_brand)
        if brands is not None and brand not in brands:
            raise Malformed("brand", "brand_forbidden", "The key does not reach this brand.", "name a brand of the key")
        if mapping.encoding and mapping.encoding not in ENCODINGS:
            raise Malformed("encoding", "mapping_wrong", "The encoding is not known.", f"one of {', '.join(ENCODINGS)}")
        if mapping.delimiter and mapping.delimiter not in DELIMITERS:
            raise Malformed("delimiter", "mapping_wrong", "The delimiter is not known.", "comma, semicolon or tab")
        settings = self._settings
        return msgspec.structs.replace(
            mapping,
            brand=brand,
            source=mapping.source or settings.first_source,
            region=mapping.region or settings.first_region,
            currency=mapping.currency or settings.first_currency,
        )

    async def page(self, request: Request) -> Response:
        """Newest first: {items, next}; `limit` up to 1,000, `after` is the last `next`."""
        limit, after = request.query_params.get("limit", "100"), request.query_params.get("after", str(_LARGEST))
        if not (limit.isdecimal() and 1 <= int(limit) <= 1_000 and after.isdecimal() and int(after) <= _LARGEST):
            fault = Fault("limit", "query_wrong", "limit or after cannot be read.", "limit=1..1000, after as `next` gave it")
            return _plain(malformed(fault))
        items = await self._imports.page(int(after), int(limit), brands_of(request))
        more = str(items[-1]["number"]) if len(items) == int(limit) else None
        return answer({"items": items, "next": more})

    async def one(self, request: Request) -> Response:
        found = await self._found(request)
        return _plain(_NOT_FOUND) if found is None else answer(found)

    async def refused(self, request: Request) -> Response:
        found = await self._found(request)
        if found is None:
            return _plain(_NOT_FOUND)
        name = f'attachment; filename="refused-{found["number"]}.csv"'
        return StreamingResponse(
            self._refused(found["id"]), media_type="text/csv; charset=utf-8", headers={"content-disposition": name}
        )

    async def _refused(self, job: str) -> AsyncIterator[bytes]:
        """line, reason, text. Texts are the customer's own: a spreadsheet must not take one for a formula."""
        yield b"\xef\xbb\xbfline,reason,text\r\n"
        async for block in self._imports.refused(job):
            out = io.StringIO()
            writer = csv.writer(out)
            writer.writerows((one.line, one.reason, _harmless(one.raw.rstrip("\r\n"))) for one in block)
            yield out.getvalue().encode()

    async def _found(self, request: Request) -> Mapping[str, Any] | None:
        return await self._imports.one(str(request.path_params["id"]), brands_of(request))


def routes(imports: Imports, settings: IngestSettings, now: Now, wake: Callable[[], None]) -> list[BaseRoute]:
    """Under /internal of the admin port. now: UTC ms. wake: called when an import may start."""
    api = ImportsApi(imports, settings, now, wake)
    return [
        Route("/imports", api.create, methods=["POST"]),
        Route("/imports", api.page, methods=["GET"]),
        Route("/imports/{id:uuid}", api.one, methods=["GET"]),
        Route("/imports/{id:uuid}/refused", api.refused, methods=["GET"]),
    ]


def brands_of(request: Request) -> Brands:
    """`?brands=a,b`: those of the key that the gateway was shown; without it all."""
    given = request.query_params.get("brands")
    return None if given is None else tuple(filter(None, given.split(",")))


async def _pieces(request: Request) -> AsyncIterator[Part]:
    boundary = boundary_of(request.headers.get("content-type", ""))
    if boundary is not None:
        async for part in parts(request.stream(), boundary):
            yield part
    else:
        async for data in request.stream():
            yield Part("file", "", data)


def _harmless(text: str) -> str:
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def answer(document: Mapping[str, Any], status: int = 200) -> Response:
    return Response(msgspec.json.encode(document), status, media_type=_JSON)


def _refusal(faults: list[Fault]) -> Response:
    detail = f"The mapping does not fit the file: {len(faults)} faults."
    return _plain(problem(400, "mapping_wrong", detail, errors=[told(None, fault) for fault in faults]))


def _plain(reply: Reply) -> Response:
    return Response(reply.body, reply.status, {name.decode(): value.decode() for name, value in reply.headers})
