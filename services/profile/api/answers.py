"""What all answers to the gateway share: whether the caller's key may see it, and a refusal."""

from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Brands = frozenset[str] | None  # of the caller's key; None: of all


def brands_asked(request: Request) -> Brands:
    """`brands=a,b`: the brands that the caller's key is for; without it, all."""
    given = request.query_params.get("brands")
    return frozenset(given.split(",")) if given is not None else None


def sees(asked: Brands, brands: Iterable[str]) -> bool:
    """May the caller see what was seen in these brands?"""
    return asked is None or not asked.isdisjoint(brands)


def kept(asked: Brands, brand: str) -> bool:
    return asked is None or brand in asked


def refused(status: int, code: str) -> Response:
    return JSONResponse({"code": code}, status_code=status)
