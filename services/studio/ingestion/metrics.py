"""What ingestion counts."""

from prometheus_client import Counter, Gauge, Histogram

LAG = Gauge("studio_ingestion_lag_records", "Records of a partition that are not stored yet.", ["topic", "partition"])
EVENTS = Counter(
    "studio_ingestion_events_total", "Events by what became of them: stored, deleted, copy.", ["topic", "outcome"]
)
DEAD_LETTERS = Counter("studio_ingestion_dead_letters_total", "Records that are no events.", ["topic", "reason"])
BATCHES = Counter("studio_ingestion_batches_total", "Transactions that stored records.")
BATCH_RECORDS = Histogram(
    "studio_ingestion_batch_records", "Records of a transaction.", buckets=(1, 10, 100, 500, 1000, 2500, 5000, 10000)
)
BATCH_SECONDS = Histogram("studio_ingestion_batch_seconds", "Duration of a transaction that stored records.")
LATENCY = Histogram(
    "studio_ingestion_latency_seconds",
    "From the time stamp of the last record of a batch in Kafka until it could be read from the database.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600),
)
RETRIES = Counter("studio_ingestion_retries_total", "Waits for a dependency: database, kafka.", ["dependency"])
FENCED = Counter("studio_ingestion_fenced_total", "Batches given up because another process had taken over.")
GAPS = Counter("studio_ingestion_gaps_total", "Times that Kafka no longer had the next records.", ["topic"])
REPLAYS = Counter("studio_ingestion_replays_total", "Replayed dead letters.", ["result"])
BACKFILLED = Counter("studio_ingestion_backfilled_events_total", "Events that came from a tracker schema.")
BACKFILL_BEHIND = Gauge(
    "studio_ingestion_backfill_behind_rows", "Rows of a tracker schema that were not compared yet.", ["schema"]
)
