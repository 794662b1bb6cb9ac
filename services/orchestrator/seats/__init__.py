"""Seats of events: where registrations lie, how a transaction takes seats, and what time does to them."""
