"""The front door: keys, documents, one person, operation; and the way through to ingest (ARCHITECTURE.md, gateway)."""
