"""Stands in PYTHONPATH while a history is recorded: the orchestrator's process then writes down each of its decisions."""

import sys

if any("orchestrator" in word for word in sys.orig_argv):
    from tests.replay import recorder

    recorder.install()
