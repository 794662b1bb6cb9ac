"""A token bucket as a pure function. Its state is one row that all processes share: whoever locks the row takes for his batch."""

from dataclasses import dataclass

NANO = 1_000_000_000  # one token; parts of a token are kept as integers so that no rounding ever adds one


@dataclass(frozen=True, slots=True)
class Rate:
    """`Rate(25, 1_000)` is 25 a second, `Rate(200, 86_400_000)` 200 a day."""

    tokens: int
    per_ms: int

    def __post_init__(self) -> None:
        if self.tokens <= 0 or self.per_ms <= 0:
            raise ValueError(
                f"rate: tokens and per_ms must be above 0, got {self.tokens} per {self.per_ms} ms; to stop, pause the channel"
            )


@dataclass(frozen=True, slots=True)
class Bucket:
    """nano: what is in it, in 1e-9 tokens; may be below zero after a provider's `retry_after`. at_ms: when it was counted."""

    nano: int
    at_ms: int


def full(now_ms: int, burst: int) -> Bucket:
    """The state to begin with."""
    return Bucket(burst * NANO, now_ms)


def take(state: Bucket, now_ms: int, n: int, rate: Rate, burst: int) -> tuple[Bucket, int, int]:
    """Up to n tokens now -> (state, granted 0..n, wait_ms until one more token is there; 0 if all n were granted).

    In any span of t ms no more than `burst + t * rate` are granted, whoever asks. A clock that steps back adds nothing.
    """
    at = max(now_ms, state.at_ms)
    nano = min(burst * NANO, state.nano + (at - state.at_ms) * rate.tokens * NANO // rate.per_ms)
    granted = max(0, min(n, nano // NANO))
    nano -= granted * NANO
    wait_ms = 0 if granted == n else -((nano - NANO) * rate.per_ms // (rate.tokens * NANO))
    return Bucket(nano, at), granted, wait_ms


def hold(state: Bucket, now_ms: int, retry_after_ms: int, rate: Rate) -> Bucket:
    """The provider said "not before": the bucket is emptied below zero, so that its next token is there after `retry_after_ms`."""
    at = max(now_ms, state.at_ms)
    empty = NANO - -(-retry_after_ms * rate.tokens * NANO // rate.per_ms)
    return Bucket(min(state.nano, empty), at)
