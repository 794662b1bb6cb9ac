"""An act that an operator asks for is tried again where the person changed while his lock was waited for."""

from contextlib import asynccontextmanager
from types import SimpleNamespace

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from runtime.db import Again
from schemas.ids import derive
from services.profile import store
from services.profile.api.acts import TRIES, of_person

ANN, GONE = derive("ann"), derive("gone")


@asynccontextmanager
async def transaction():
    yield None


@pytest.mark.parametrize(("trouble", "status"), [(0, 202), (TRIES - 1, 202), (TRIES, 503)])
async def test_it_is_asked_for_once_however_often_he_changed(monkeypatch, trouble, status):
    async def meant(_connection, ids):
        return {one: ANN for one in ids if one != GONE}

    tried = []

    async def act(_connection, person, asked):
        tried.append(person)
        if len(tried) <= trouble:
            raise Again("he became one with somebody")
        return JSONResponse(asked, status_code=202)

    monkeypatch.setattr(store, "meant", meant)
    endpoint = of_person(SimpleNamespace(db=SimpleNamespace(transaction=transaction)), act)
    app = Starlette(routes=[Route("/profiles/{id}/act", endpoint, methods=["POST"])])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inside") as client:
        assert (await client.post(f"/profiles/{ANN}/act", json={"reason": "x"})).status_code == status
        assert tried == [ANN] * min(trouble + 1, TRIES)
        for path, body in ((f"/profiles/{GONE}/act", "{}"), ("/profiles/x/act", "{}"), (f"/profiles/{ANN}/act", "{")):
            assert (await client.post(path, content=body)).status_code == 404
