"""A company of people and what they did in a year, made from a seed: as calls that a product backend would send, and past the log."""
