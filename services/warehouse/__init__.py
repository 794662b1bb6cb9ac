"""The warehouse: writes the lake, the long memory of facts, memberships and decisions (docs/adr/0006)."""
