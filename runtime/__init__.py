"""The machine: the only code that knows Kafka, transactions, timers, clocks, signals and HTTP servers (ARCHITECTURE.md, runtime)."""
