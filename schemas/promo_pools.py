"""Pools of single-use promo codes as documents, and what facts say of their codes. The codes themselves are no part of a document."""

import re
import unicodedata

from pydantic import Field, field_validator

from schemas.documents import Document, instant_ms

GIVEN, RETURNED, USED = "Promo Code Given", "Promo Code Returned", "Promo Code Used"
ORDER, COUPON = "Order Completed", "coupon"  # the event, and the property of it, by which a code is redeemed
LONGEST = 64  # characters of a code
_CODE = re.compile(rf"\w(?:[\w.-]{{0,{LONGEST - 2}}}\w)?")


class PromoPool(Document):
    """text: what the codes are good for, in letters `promo.STEP.text`. expires: an instant with its zone, from which on none is given.
    low_water: with fewer codes left than that the pool warns.
    """

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")
    brand: str
    text: str = Field(default="", max_length=500)
    expires: str | None = None
    low_water: int = Field(default=100, ge=0, le=1_000_000)

    @field_validator("expires")
    @classmethod
    def _instant(cls, value: str | None) -> str | None:
        if value is not None:
            instant_ms(value)
        return value

    @property
    def expires_ms(self) -> int | None:
        """UTC ms."""
        return None if self.expires is None else instant_ms(self.expires)


def is_code(text: str) -> bool:
    """Letters and digits of any script, and `-`, `_`, `.` between them; at most LONGEST of them."""
    return _CODE.fullmatch(text) is not None


def spelled(code: str) -> str:
    """One form for all ways to write a code: people type them by hand."""
    return unicodedata.normalize("NFKC", code).strip().casefold()
