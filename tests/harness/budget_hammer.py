"""Ask one shared budget for calls as fast as one process can, until a key in Redis says stop.

Run as ``python -m harness.budget_hammer REDIS_URL REQUESTS_PER_MINUTE PATIENCE_SECONDS``. It waits for the key
``hammer:go``, so that all processes begin at once, and ends when it is denied after ``hammer:stop``. It prints how many
calls it got and three moments by Redis's clock (µs): before it asked first, before it was denied last, and after that.
"""

from __future__ import annotations

import sys
import time

import redis

from pipeline.budget import MICROSECONDS, ProviderBudget
from pipeline.errors import RateLimited
from worker.adapters.limiter import RedisLimiter

MODEL = "test/hammered/8"


def moment(client: redis.Redis) -> int:
    """Return the time by Redis's clock (µs)."""
    seconds, micro = client.time()
    return int(seconds) * MICROSECONDS + int(micro)


def main() -> None:
    """Hammer."""
    url, per_minute, patience = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    client = redis.Redis.from_url(url)
    limiter = RedisLimiter(ProviderBudget(per_minute), url, MODEL)
    client.incr("hammer:ready")
    while not client.exists("hammer:go"):
        time.sleep(0.01)
    granted, first = 0, moment(client)
    while True:
        before = moment(client)
        try:
            limiter.acquire(1, patience)
            granted += 1
        except RateLimited:
            if client.exists("hammer:stop"):
                break
            time.sleep(0.01)
    sys.stdout.write(f"{granted} {first} {before} {moment(client)}\n")


if __name__ == "__main__":
    main()
