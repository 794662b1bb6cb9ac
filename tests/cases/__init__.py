"""Rows of CASES, run through the public interfaces alone, on a whole installation: every service, real Kafka, real PostgreSQL."""
