"""Entry point of `python -m studio ingestion-replay`: replays dead letters now, and says what became of them."""

import os
import sys
from collections import Counter

from studio.db.pool import connect, json_as_text
from studio.ingestion import dead_letters
from studio.settings import DatabaseSettings

APPLICATION = "ingestion-replay"


async def main() -> int:
    """Replay those of REPLAY_TOPIC and REPLAY_REASON (either may be empty: all); 1 if some were refused again."""
    settings = DatabaseSettings.from_env(os.environ)
    conn = await connect(settings, application_name=APPLICATION, prepare=json_as_text)
    results: Counter[str] = Counter()
    try:
        topic, reason = (os.environ.get(name) or None for name in ("REPLAY_TOPIC", "REPLAY_REASON"))
        await dead_letters.request_replays(conn, topic=topic, reason=reason, who=APPLICATION)
        while result := await dead_letters.replay_next(conn):
            results[result.partition(":")[0]] += 1
    finally:
        conn.terminate()
    sys.stdout.write("".join(f"{result}: {count}\n" for result, count in sorted(results.items())) or "nothing to do\n")
    return int("refused" in results)
