"""The audience service: conditions in bulk, over an index of the lake (docs/adr/0014): counts, differences, overlaps, explanations."""
