"""Pools of promo codes: where codes lie, how a transaction takes them, and how they come in."""
