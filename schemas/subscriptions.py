"""Subscription topics as documents: what a person agrees to get, and unsubscribes from."""

from typing import Annotated

from pydantic import Field

from schemas.documents import Document

Text = Annotated[str, Field(min_length=1, max_length=200)]


class Topic(Document):
    """brand None: of all brands. name: language -> how the preference page calls it. parent: the topic that this is a part of.

    What is said on a topic holds for its parts as well: schemas/permission.py says how.
    """

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")
    brand: str | None = None
    name: dict[Annotated[str, Field(pattern=r"^[a-z]{2}$")], Text] = Field(min_length=1)
    parent: str | None = None
