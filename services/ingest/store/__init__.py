"""The tables of ingest: imports, and the payloads of webhooks."""

from .imports import Brands, Imports, Job, OffsetWrong, Step, TakenOver, Waiting
from .payloads import Kept, Payloads

__all__ = ["Brands", "Imports", "Job", "Kept", "OffsetWrong", "Payloads", "Step", "TakenOver", "Waiting"]
