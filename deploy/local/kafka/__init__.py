"""A real Kafka on one machine: KRaft, broker and controller in one JVM, jars pinned by hash."""

from deploy.local.kafka.broker import command, prepare

__all__ = ["command", "prepare"]
