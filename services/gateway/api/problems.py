"""Whatever a route raises becomes a problem document."""

import logging

import asyncpg
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from runtime.db import TRANSIENT
from services.gateway.api import wire
from services.gateway.domain.problems import Fault, Problem

log = logging.getLogger(__name__)


def install(app: FastAPI) -> None:
    """Exception handlers for all that the app itself and its routes raise."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _parameters)
    for kind in TRANSIENT:
        app.add_exception_handler(kind, _database)  # type: ignore[arg-type]
    app.add_exception_handler(asyncpg.DataError, _unstorable)
    app.add_exception_handler(Exception, _bug)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return wire.problem(request, error)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        return wire.problem(request, Problem("method_not_allowed", method=request.method))
    return wire.problem(request, Problem("not_found"))


async def _parameters(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [Fault(".".join(map(str, one["loc"][1:])), one["type"], params=one.get("ctx", {})) for one in error.errors()]
    return wire.problem(request, Problem("invalid", faults))


async def _unstorable(request: Request, _error: Exception) -> Response:
    """A NUL in an address or a cursor: bodies are looked through before."""
    return wire.problem(request, Problem("invalid", [Fault("", "nul")]))


def _place(request: Request) -> str:
    """Where a call went, without what is secret in a webhook's address."""
    path = request.url.path
    return "/".join(path.split("/")[:3]) if path.startswith("/hooks/") else path


async def _database(request: Request, error: Exception) -> Response:
    log.warning("a call failed", extra={"why": type(error).__name__, "path": _place(request)})
    return wire.problem(request, Problem("database_unavailable"))


async def _bug(request: Request, error: Exception) -> Response:
    log.error("a call failed", exc_info=error, extra={"path": _place(request)})
    return wire.problem(request, Problem("internal"))
