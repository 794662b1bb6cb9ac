"""What the orchestrator does with its inputs."""

from .batch import Handler
from .news import decode_document, decode_fact, decode_membership, decode_verdict

__all__ = ["Handler", "decode_document", "decode_fact", "decode_membership", "decode_verdict"]
