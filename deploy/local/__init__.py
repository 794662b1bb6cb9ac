"""A whole installation on one machine, without Docker: Kafka, PostgreSQL, mail catcher and all services."""
