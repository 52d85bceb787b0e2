"""Share the provider's budget between all processes and hosts: one hash per model in Redis, changed by scripts.

``mobius:budget:<model key>`` is a hash of moments in whole microseconds since 1970 by Redis's own clock, which is
the only clock that counts, so hosts need not agree on the time:

- ``requests``, ``tokens``: from when on the next call may go, by the limit of that name;
- ``quiet``: until when the provider wants to be left alone, after a 429;
- ``line``: when the next caller who is denied is told to come back.

It expires 30 days after the last call. Losing it, by expiry, eviction or FLUSHALL, makes callers wait and never
grants anything. A script is atomic, and is what ``pipeline.budget`` does, operation by operation. Needs Redis 6.2.
"""

from __future__ import annotations

from typing import Any

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from pipeline.budget import HORIZON, LONGEST_LINE, ProviderBudget, denied, seconds_of, whole
from pipeline.errors import BadCredentials, IngestError, ServiceUnavailable

log = structlog.get_logger(__name__)

#: How long an unused budget is remembered (s).
_KEPT = 30 * 24 * 3600
#: How long one answer of Redis may take (s). A caller holds a worker's slot meanwhile.
_TIMEOUT = 2.0

# %.0f, because Lua writes numbers of this size as 1.8e+15 by itself.
_LOOK = f"""
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local stored = redis.call('HMGET', KEYS[1], 'requests', 'tokens', 'quiet', 'line')
local function known(value, otherwise)
  local moment = tonumber(value or nil)
  if not moment or moment > now + {HORIZON} then return otherwise end
  return moment
end
local requests = known(stored[1], now + ARGV[1])
local tokens = known(stored[2], now + ARGV[2])
local quiet = known(stored[3], 0)
local line = tonumber(stored[4] or 0)
local function keep()
  local function text(moment) return string.format('%.0f', moment) end
  redis.call('HSET', KEYS[1], 'requests', text(requests), 'tokens', text(tokens), 'quiet', text(quiet),
    'line', text(line))
  redis.call('EXPIRE', KEYS[1], {_KEPT})
end
"""

# ARGV: what an unknown past has spent (requests, tokens), this call's cost (requests, tokens), patience.
_RESERVE = f"""{_LOOK}
local turn = math.max(now, requests, tokens, quiet)
local answer = turn
if turn - now <= tonumber(ARGV[5]) then
  requests = turn + ARGV[3]
  tokens = turn + ARGV[4]
else
  answer = math.max(turn, math.min(line, now + {LONGEST_LINE}))
  line = answer + math.max(ARGV[3], ARGV[4])
end
keep()
return answer - now
"""

# ARGV[3]: by how much the call cost more than was reserved. What is forgotten needs no correction.
_CORRECT = f"""{_LOOK}
if not stored[2] then return 0 end
tokens = math.max(tokens, now) + ARGV[3]
keep()
return 0
"""

# ARGV[3]: for how long nobody may call; 0 asks how long it lasts.
_QUIET = f"""{_LOOK}
if tonumber(ARGV[3]) > 0 then
  quiet = math.max(quiet, now + ARGV[3])
  keep()
end
return math.max(0, quiet - now)
"""


class RedisLimiter:
    """A budget that every process with the same Redis and model shares; see ``pipeline.ports.Limiter``."""

    def __init__(self, budget: ProviderBudget, url: str, model_key: str) -> None:
        self._budget = budget
        self._key = f"mobius:budget:{model_key}"
        # One more try, because the connection may be one that a restart of Redis has cut.
        self._redis = redis.Redis.from_url(
            url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT, retry=Retry(NoBackoff(), 1)
        )
        unknown = budget.unknown_past()
        self._unknown = (unknown.requests, unknown.tokens)
        self._reserve = self._redis.register_script(_RESERVE)
        self._correct = self._redis.register_script(_CORRECT)
        self._quiet = self._redis.register_script(_QUIET)

    def acquire(self, tokens: int, patience: float) -> float:
        """See the port."""
        cost = self._budget.cost(tokens)
        wait = self._run(self._reserve, cost.requests, cost.tokens, whole(patience))
        if wait > whole(patience):
            raise denied(wait)
        return seconds_of(wait)

    def settle(self, estimated: int, actual: int) -> None:
        """See the port."""
        difference = self._budget.token_cost(actual - estimated)
        if difference:
            self._try(self._correct, difference)

    def pause(self, seconds: float) -> None:
        """See the port."""
        self._try(self._quiet, whole(seconds))

    def paused(self) -> float:
        """See the port."""
        return seconds_of(self._run(self._quiet, 0))

    def close(self) -> None:
        """See the port."""
        self._redis.close()

    def _run(self, script: Any, *args: int) -> int:
        try:
            return int(script(keys=[self._key], args=[*self._unknown, *args]))
        except redis.AuthenticationError as exc:
            raise BadCredentials("Redis refuses the password; set the right one in REDIS_URL and restart.") from exc
        except (redis.ConnectionError, redis.TimeoutError) as exc:
            raise ServiceUnavailable("Redis") from exc
        except redis.RedisError as exc:
            raise ServiceUnavailable("Redis", f"Redis does not keep the provider's budget: {exc}") from exc

    def _try(self, script: Any, *args: int) -> None:
        try:
            self._run(script, *args)
        except IngestError as exc:
            # The reply in the caller's hands is worth more; the budget is kept too tightly at worst, or too late.
            log.warning("budget_not_corrected", reason=str(exc))
