"""A batch of facts finds its people."""

from .batch import Handler
from .decoding import decode_raw

__all__ = ["Handler", "decode_raw"]
