"""Every metric of the machine, in one place, with its unit. docs/metrics-of-operation.md is generated from here."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(f"otklik_{name}", text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(f"otklik_{name}", text, labels, registry=REGISTRY)


def _histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
    return Histogram(f"otklik_{name}", text, labels, buckets=buckets, registry=REGISTRY)


lag = _gauge("lag_records", "Records between the watermark and the log's end", "service", "topic", "partition")
lag_seconds = _gauge("lag_seconds", "Age of the last record handled, 0 when none waits", "service")
records = _counter("records_total", "Records committed", "service", "topic")
duplicates = _counter("duplicates_total", "Records dropped: seen before", "service", "by")
batch_rows = _histogram("batch_rows", "Records in a transaction", (1, 10, 50, 100, 250, 500, 1000, 2000, 5000), "service", "lane")
stage_seconds = _histogram("stage_seconds", "Time of one stage of a batch", _SECONDS, "service", "stage")
retries = _counter("batch_retries_total", "Transactions that ran again", "service", "why")
gaps = _counter("gaps_total", "Batches whose first offset was above the watermark", "service", "end")
lost = _counter("lost_records_total", "Records that retention deleted before they were read", "service", "topic")
dead_letters = _counter("dead_letters_total", "Records buried", "service", "reason")
outbox_rows = _gauge("outbox_rows", "Outbox rows waiting", "service")
outbox_age = _gauge("outbox_age_seconds", "Age of the oldest outbox row", "service")
relayed = _counter("relayed_total", "Records acknowledged by Kafka", "service", "topic")
relay_restarts = _counter("relay_restarts_total", "Producers thrown away after a failed ack", "service")
timers_fired = _counter("timers_fired_total", "Timers fired", "service")
timers_late = _gauge("timers_late_seconds", "Lateness of the oldest timer in the last batch", "service")
rebalances = _counter("rebalances_total", "Assignments received", "service", "lane")
promo_free = _gauge("promo_codes_free", "Promo codes of a pool that can be given", "pool")
promo_low = _gauge("promo_pool_low", "1 while a pool in force has fewer codes than its low-water mark", "pool")
promo_empty = _counter("promo_pool_empty_total", "Runs that found no promo code in their pool", "pool")
