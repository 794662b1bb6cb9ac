"""Fake providers: they stand in for the outside world in contract tests and in local runs, and record what they accepted."""
