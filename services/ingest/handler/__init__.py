"""What ingest does around its rules: keys, room in the log, dead letters, imports under way."""
