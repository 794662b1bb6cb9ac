"""Takes facts in from everywhere and writes them to `facts.raw`. Keeps nothing itself."""
