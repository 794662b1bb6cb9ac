"""The HTTP edge of ingest: `app(log, buried, sources, clock)` is the ASGI application, the rest is what it is given."""

from .edge import app
from .ports import Buried, Clock, Log, Overloaded, Record, Sources, Unavailable, Unread

__all__ = ["Buried", "Clock", "Log", "Overloaded", "Record", "Sources", "Unavailable", "Unread", "app"]
