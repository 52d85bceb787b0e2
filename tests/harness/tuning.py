"""The variables that ``harness.tuned`` reads; importing that would make the product's application the current one."""

from __future__ import annotations

#: Seconds by which the process's clock is wrong.
CLOCK = "TUNED_CLOCK"
#: Seconds that the task at hand is given when the worker is told to end.
DRAIN = "TUNED_DRAIN"
#: Seconds that Redis may take to answer. What nobody acknowledged for one more is delivered again.
REDIS_PATIENCE = "TUNED_REDIS_PATIENCE"
