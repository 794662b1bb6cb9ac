"""The tables of ingest: imports, and the payloads of webhooks."""

from .imports import Brands, Imports, Job, Step, TakenOver
from .payloads import Kept, Payloads

__all__ = ["Brands", "Imports", "Job", "Kept", "Payloads", "Step", "TakenOver"]
