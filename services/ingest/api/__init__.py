"""The HTTP edge of ingest: `app(log, buried, sources, clock)` is the ASGI application, the rest is what it is given."""

from services.ingest.ports import Buried, Clock, Log, Overloaded, Record, Sources, Unavailable, Unread

from .edge import app

__all__ = ["Buried", "Clock", "Log", "Overloaded", "Record", "Sources", "Unavailable", "Unread", "app"]
