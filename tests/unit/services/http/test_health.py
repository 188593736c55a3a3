"""What the probes of a process are told."""

import asyncpg

from studio.http.health import Health


async def test_readiness_is_asked_seldom_and_comes_back_soon(studio_pool: asyncpg.Pool) -> None:
    now, asked, broken = 0.0, 0, True

    async def check() -> None:
        nonlocal asked
        asked += 1
        if broken:
            raise OSError("away")

    health = Health(studio_pool, check, clock=lambda: now)
    assert [await health.ready() for _ in range(3)] == ["OSError: away"] * 3
    broken = False
    now = 0.6
    assert [await health.ready() for _ in range(3)] == [None] * 3
    now, broken = 3.0, True
    assert await health.ready() is None
    assert asked == 2
    now = 3.7
    assert await health.ready() == "OSError: away"
    assert health.alive() is None
