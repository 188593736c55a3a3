"""The measures of the first chat, in the order of the page, with the goals that they are held against."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """One measure. `limit` is None where there is no goal; `at_least` turns the comparison round."""

    measure: str
    unit: str
    limit: float | None = None
    at_least: bool = False
    peers: str = ""

    def met(self, value: float) -> bool | None:
        """Whether a value reaches the goal; None without one."""
        if self.limit is None:
            return None
        return value >= self.limit if self.at_least else value <= self.limit

    @property
    def text(self) -> str:
        """The goal in words, empty without one."""
        if self.limit is None:
            return ""
        return f"{'at least' if self.at_least else 'at most'} {self.limit:g}"


UP_COLD = Goal("`make up` with empty caches", "s", 1800)
UP_WARM = Goal("`make up` with warm caches", "s", 240)
CLUSTER_UP = Goal("`make cluster-up` with warm caches", "s", 20)
FIRST = Goal("first Assistant of a namespace, applied to Ready", "s", 120)
SECOND = Goal("second Assistant in the same Studio, applied to Ready", "s", 75)
OPERATOR_MEMORY = Goal(
    "operator at rest, resident memory",
    "MiB",
    100,
    peers="KubeRay operator: 21 MB without, 36 MB with 150 clusters (its own memory benchmark, Go)",
)
CONSUMER_MEMORY = Goal("the largest consumer at rest, resident memory", "MiB", 90)
ORCHESTRATOR_MEMORY = Goal("the largest orchestrator at rest, resident memory", "MiB")
WRITES = Goal("API writes at rest with 10 Assistants, without the Lease", "per second", 0)
READS = Goal("API reads at rest with 10 Assistants", "per second", 1)
CPU_REQUESTS = Goal("CPU requests of the Studio with 2 runs, a spare slot and a training", "cores", 1.6)
CPU_REQUESTS_WARM = Goal("the same with a warm engine in the spare slot, which yields where there is no room", "cores")
DRIFT = Goal("a child edited or deleted, until repaired (p99)", "s", 10)
KILLS = Goal(
    "operator killed with SIGKILL during the first apply: kills after which the end state was the same",
    "kills",
    10,
    at_least=True,
)
TEST_COLD = Goal("`make test` with empty caches", "s", 3600)
TEST_WARM = Goal("`make test` with warm caches", "s", 900)

FIRST_CHAT = (
    UP_COLD,
    UP_WARM,
    CLUSTER_UP,
    FIRST,
    SECOND,
    OPERATOR_MEMORY,
    CONSUMER_MEMORY,
    ORCHESTRATOR_MEMORY,
    WRITES,
    READS,
    CPU_REQUESTS,
    CPU_REQUESTS_WARM,
    DRIFT,
    KILLS,
    TEST_COLD,
    TEST_WARM,
)

WHOLE_FIRST = Goal("first Assistant of an empty namespace, whole studio, applied to Ready", "s", 240)
WHOLE_MEMORY = Goal("whole studio at rest without engines and Keycloak, memory (proportional set sizes)", "MiB", 1228.8)
KEYCLOAK_MEMORY = Goal("Keycloak at rest, resident memory", "MiB")
COPY_RATIO = Goal("ingestion from a filled topic, as a share of COPY of the same rows from memory", "ratio", 0.85, True)
EXECUTEMANY_RATIO = Goal("ingestion from a filled topic, against asyncpg's executemany", "ratio", 1.6, True)
INGESTION_RATE = Goal("ingestion from a filled topic", "events per second")
VISIBLE = Goal("produced to visible in PostgreSQL at 100 events per second, p99", "ms", 250)
INGESTION_MEMORY = Goal("ingestion at rest, resident memory", "MiB", 90)
LOST = Goal("events lost of 200,000 with 10 kills of ingestion, 2 restarts of PostgreSQL and 2 of Kafka", "events", 0)
DOUBLED = Goal("events doubled in the same run", "events", 0)
FIRST_LOAD = Goal("web client: JavaScript of the first load, gzipped", "kB", 300)
PAGE_REQUESTS = Goal("web client: requests of an open page in a minute at rest", "requests", 2)

STUDIO = (
    WHOLE_FIRST,
    WHOLE_MEMORY,
    KEYCLOAK_MEMORY,
    COPY_RATIO,
    EXECUTEMANY_RATIO,
    INGESTION_RATE,
    VISIBLE,
    INGESTION_MEMORY,
    LOST,
    DOUBLED,
    FIRST_LOAD,
    PAGE_REQUESTS,
)

SWAP_FAILURES = Goal(
    "20 swaps of models under 20 messages per second: messages that failed or were lost", "messages", 0
)
SWAP_FIRST_ANSWER = Goal("a model that was activated, cold, until its first answer (p95)", "s")
STATUS_DELAY = Goal("a training's change of state until it is in Assistant.status (p95)", "s", 1)
JOB_DELAY = Goal("a training requested until its Job is there, with a free consumer (p99)", "ms", 100)
START_RATIO = Goal(
    "a training requested until its engine runs, against a bare Job with one init container", "ratio", 1.5
)
QUEUE_REFUSED = Goal("500 trainings requested at once, 2 consumers: refused", "trainings", 0)
QUEUE_OVERTAKEN = Goal("the same: begun before one that stood ahead of it", "trainings", 0)
QUEUE_MISPLACED = Goal("the same: positions that the API told wrongly", "positions", 0)
REST_MEMORY = Goal("the largest consumer at rest in this run, resident memory", "MiB", 90)
REST_CPU = Goal("the busiest consumer at rest, CPU over 60 s", "% of a core", 0.5)
CLAIM_RATE = Goal(
    "claimed until the Job is there, against the API server alone",
    "trainings per second",
    43,
    at_least=True,
    peers="Kueue publishes 42.7 admissions per second over 15,000 workloads",
)
CLAIM_DOUBLES = Goal("the same: Jobs made twice, or more at work than consumers", "Jobs", 0)

WARM_FIRST_ANSWER = Goal("a light model in the store until its first answer, in a warm engine (p95)", "s", 1.5)
WARM_RATIO = Goal("the same with a cold engine, against that (p95 of each, in turn)", "ratio", 10, at_least=True)
WARM_FAILURES = Goal(
    "the same swaps, warm and cold, under 20 messages per second: messages that failed or were lost", "messages", 0
)
DIET_RATIO = Goal("a DIET model in the store until its first answer, warm, against the bare PUT /model", "ratio", 1.2)
NEW_RATIO = Goal("a new Assistant, applied to Ready, against the bare `rasa train` under the same limits", "ratio", 1.6)

MODEL_SERVICE = (
    SWAP_FAILURES,
    SWAP_FIRST_ANSWER,
    STATUS_DELAY,
    JOB_DELAY,
    START_RATIO,
    QUEUE_REFUSED,
    QUEUE_OVERTAKEN,
    QUEUE_MISPLACED,
    REST_MEMORY,
    REST_CPU,
    CLAIM_RATE,
    CLAIM_DOUBLES,
    WARM_FIRST_ANSWER,
    WARM_RATIO,
    WARM_FAILURES,
    DIET_RATIO,
    NEW_RATIO,
)
