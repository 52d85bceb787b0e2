"""Change what waits in a queue, as a faulty network or a restarted broker might."""

from __future__ import annotations

import json
import random
from uuid import uuid4

from harness.servers import RedisClient


def triple(server: RedisClient, queue: str) -> None:
    """Put each message of a queue there three times, in any order."""
    rng = random.Random(7)
    messages = server.client.lrange(queue, 0, -1)
    copies = []
    for message in messages * 3:
        copy = json.loads(message)
        copy["properties"]["delivery_tag"] = str(uuid4())
        copies.append(json.dumps(copy))
    rng.shuffle(copies)
    server.client.delete(queue)
    server.client.rpush(queue, *copies)
