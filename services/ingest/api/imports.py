"""Imports over HTTP, for the gateway: it has checked who asks and for which brand. On the admin port, never open to the outside."""

import csv
import io
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from services.ingest.domain import (
    DELIMITERS,
    ENCODINGS,
    FORMULA_MARKS,
    Columns,
    Fault,
    Malformed,
    Shape,
    bind,
    cells_of,
)
from services.ingest.domain import Mapping as Document
from services.ingest.handler.previewing import preview
from services.ingest.handler.reading import look
from services.ingest.handler.upload import First, Upload, too_large
from services.ingest.settings import IngestSettings
from services.ingest.store import Brands, Imports, OffsetWrong, TakenOver

from .problems import Reply, malformed, problem, told
from .receiving import mapping_of, received

_LARGEST = 2**62
_JSON = "application/json"
_AGAIN = problem(409, "import_replaced", "The same file came once more under this key. Mend: ask again with the key.")
_NOT_FOUND = problem(404, "import_unknown", "There is no import with this id.")

Moment = Callable[[], Awaitable[tuple[int, bool]]]  # (UTC ms, whether the clock is driven)


class _Unfit(Exception):  # noqa: N818
    """The mapping does not fit the file."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(len(faults))
        self.faults = faults


class ImportsApi:
    """`POST /internal/imports` (a form with `mapping` and `file`, or a raw body with `?mapping=`) -> {id}; the rest looks.

    With `Upload-Complete: ?0` the file follows in `PATCH .../{id}`, each with `Upload-Offset`, the last with `Upload-Complete: ?1`.
    """

    def __init__(self, imports: Imports, settings: IngestSettings, now: Moment, wake: Callable[[], None]) -> None:
        self._imports, self._settings, self._now, self._wake = imports, settings, now, wake

    async def create(self, request: Request) -> Response:
        key = request.headers.get("idempotency-key")
        name = request.query_params.get("name", "")[:200]
        if request.headers.get("upload-complete") == "?0":
            return await self._begin(request, name, key)
        now, _ = await self._now()
        job, new = await self._imports.create(name, key[:200] if key else None, now)
        if not new:
            return answer({"id": job}, 202)
        started = False
        try:
            await self._taken(request, job, now)
            started = True
            return answer({"id": job}, 202)
        except Malformed as refused:
            return _plain(malformed(refused.fault))
        except _Unfit as unfit:
            return _refusal(unfit.faults)
        except (OffsetWrong, TakenOver):
            return _plain(_AGAIN)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        finally:
            if started:
                self._wake()
            else:
                await self._imports.drop(job)

    async def _taken(self, request: Request, job: str, now: int) -> None:
        """Takes the file in and lets its import start. Raises Malformed and _Unfit."""
        upload = Upload(self._imports, job, self._settings.import_max_bytes, now)
        asked = await received(request, upload.feed)
        await upload.flush()
        await self._start(job, upload.kept, mapping_of(asked), brands_of(request))

    async def _start(self, job: str, size: int, mapping: Document, brands: Brands) -> None:
        if not size:
            raise Malformed("file", "file_missing", "There is no file in the request, or it is empty.", "send a file")
        if size > self._settings.import_max_bytes:  # it was begun when more was allowed
            raise too_large(self._settings.import_max_bytes)
        mapping = self._complete(mapping, brands)
        shape = await look(partial(self._imports.part, job), mapping)
        plan = bind(mapping, shape.columns)
        if isinstance(plan, list):
            raise _Unfit(plan)
        await self._imports.start(job, mapping, shape, (await self._now())[0])

    # ---- a file that comes in several requests

    async def _begin(self, request: Request, name: str, key: str | None) -> Response:
        """-> {id, offset}: how much of the file is there, for one that was begun with the same key."""
        brands = brands_of(request)
        asked = request.query_params.get("mapping", "").encode()
        try:
            mapping = self._complete(mapping_of(asked), brands)
        except Malformed as refused:
            return _plain(malformed(refused.fault))
        now, _ = await self._now()
        shown = key[:200] if key else None
        job, _ = await self._imports.create(name, shown, now, brand=mapping.brand, mapping=asked, goes_on=True)
        waiting = await self._imports.upload(job, brands)
        return answer({"id": job, "offset": waiting.size if waiting else None}, 202)

    async def append(self, request: Request) -> Response:
        brands = brands_of(request)
        waiting = await self._imports.upload(str(request.path_params["id"]), brands)
        if waiting is None:
            return _plain(_NOT_FOUND)
        if request.headers.get("upload-offset") != str(waiting.size):
            return _offset_wrong(waiting.size)
        now, _ = await self._now()
        upload = Upload(self._imports, waiting.id, self._settings.import_max_bytes, now, waiting.size)
        try:
            try:
                await received(request, upload.feed)
            finally:
                await upload.flush()  # what has come stays, whatever ended the line
            if request.headers.get("upload-complete") == "?1":
                asked = request.query_params.get("mapping", "").encode() or waiting.mapping
                await self._start(waiting.id, upload.kept, mapping_of(asked), brands)
                self._wake()
        except Malformed as refused:
            return _plain(malformed(refused.fault))
        except _Unfit as unfit:
            return _refusal(unfit.faults)
        except (OffsetWrong, TakenOver):  # another request has brought the same
            return _offset_wrong((await self._imports.upload(waiting.id, brands) or waiting).size)
        except ClientDisconnect:
            return Response(status_code=400)
        return answer({"id": waiting.id, "offset": upload.kept}, 202)

    # ---- before anything is kept

    async def preview(self, request: Request) -> Response:
        """The first rows of a file as the facts that they would become; of a workbook the whole file must come."""
        with tempfile.TemporaryFile() as file:
            first = First(file, self._settings.import_max_bytes)
            try:
                asked = await received(request, first.feed)
                given = mapping_of(asked) if asked else None
                if not first.size:
                    raise Malformed("file", "file_missing", "There is no file in the request, or it is empty.", "send a file")
                complete = partial(self._complete, brands=brands_of(request))
                return answer(await preview(first.piece, given, complete, await self._now(), cut=first.cut))
            except Malformed as refused:
                return _plain(malformed(refused.fault))
            except UnicodeDecodeError:
                fault = Fault("encoding", "encoding_wrong", "The file is not in this encoding.", "leave `encoding` out")
                return _plain(malformed(fault))
            except ClientDisconnect:
                return Response(status_code=400)

    def _complete(self, mapping: Document, brands: Brands) -> Document:
        """With what the installation says where the mapping says nothing."""
        brand = mapping.brand or (brands[0] if brands is not None and len(brands) == 1 else self._settings.first_brand)
        if brands is not None and brand not in brands:
            raise Malformed("brand", "brand_forbidden", "The key does not reach this brand.", "name a brand of the key")
        if mapping.encoding and mapping.encoding not in ENCODINGS:
            raise Malformed("encoding", "mapping_wrong", "The encoding is not known.", f"one of {', '.join(ENCODINGS)}")
        if mapping.delimiter and mapping.delimiter not in DELIMITERS:
            raise Malformed("delimiter", "mapping_wrong", "The delimiter is not known.", "comma, semicolon, tab or |")
        settings = self._settings
        return msgspec.structs.replace(
            mapping,
            brand=brand,
            # Ids derive from the source: those of another brand must not be taken for repeats of the first one's.
            source=mapping.source or (settings.first_source if brand == settings.first_brand else f"{brand}-import"),
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
            yield _csv([one.line, one.reason, _harmless(one.raw.rstrip("\r\n"))] for one in block)

    async def bad(self, request: Request) -> Response:
        """The rows that were refused with their cells under the names of the file: to mend them and send them again."""
        found = await self._found(request)
        if found is None:
            return _plain(_NOT_FOUND)
        if request.query_params.get("format", "csv") != "csv":
            return _plain(malformed(Fault("format", "query_wrong", "The format is not known.", "format=csv")))
        name = f'attachment; filename="bad-{found["number"]}.csv"'
        stream = self._bad(found["id"], await self._imports.shape(found["id"]))
        return StreamingResponse(stream, media_type="text/csv; charset=utf-8", headers={"content-disposition": name})

    async def _bad(self, job: str, shape: Shape) -> AsyncIterator[bytes]:
        names = ("text",) if shape.format == "jsonl" else Columns(shape.columns).names
        yield b"\xef\xbb\xbf" + _csv([["line", "column", "reason", *map(_harmless, names)]])
        async for block in self._imports.refused(job):
            yield _csv([one.line, _harmless(one.column), one.reason, *map(_harmless, cells_of(one.raw, shape))] for one in block)

    async def _found(self, request: Request) -> Mapping[str, Any] | None:
        return await self._imports.one(str(request.path_params["id"]), brands_of(request))


def routes(imports: Imports, settings: IngestSettings, now: Moment, wake: Callable[[], None]) -> list[BaseRoute]:
    """Under /internal of the admin port. wake: called when an import may start."""
    api = ImportsApi(imports, settings, now, wake)
    return [
        Route("/imports", api.create, methods=["POST"]),
        Route("/imports", api.page, methods=["GET"]),
        Route("/imports/preview", api.preview, methods=["POST"]),
        Route("/imports/{id:uuid}", api.one, methods=["GET"]),
        Route("/imports/{id:uuid}", api.append, methods=["PATCH"]),
        Route("/imports/{id:uuid}/bad", api.bad, methods=["GET"]),
        Route("/imports/{id:uuid}/refused", api.refused, methods=["GET"]),
    ]


def brands_of(request: Request) -> Brands:
    """`?brands=a,b`: those of the key that the gateway was shown; without it all."""
    given = request.query_params.get("brands")
    return None if given is None else tuple(filter(None, given.split(",")))


def _harmless(text: str) -> str:
    return f"'{text}" if text[:1] in (*FORMULA_MARKS, "\t", "\r") else text


def _csv(rows: Iterable[Sequence[Any]]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def _offset_wrong(size: int) -> Response:
    detail = f"There are {size} bytes of the file. Mend: go on from there, with Upload-Offset: {size}."
    return _plain(problem(409, "offset_wrong", detail, offset=size))


def answer(document: Mapping[str, Any], status: int = 200) -> Response:
    return Response(msgspec.json.encode(document), status, media_type=_JSON)


def _refusal(faults: list[Fault]) -> Response:
    detail = f"The mapping does not fit the file: {len(faults)} faults."
    return _plain(problem(400, "mapping_wrong", detail, errors=[told(None, fault) for fault in faults]))


def _plain(reply: Reply) -> Response:
    return Response(reply.body, reply.status, {name.decode(): value.decode() for name, value in reply.headers})
