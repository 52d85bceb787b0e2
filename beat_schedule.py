"""What beat sends, how often, and after how many seconds a tick that nobody took is worthless."""

from tasks.queues import CONTROL, SWEEP

#: Seconds. The dispatcher sweeps more often; this is its stand-in.
SWEEP_EVERY = 15.0

BEAT_SCHEDULE = {
    "sweep": {"task": SWEEP, "schedule": SWEEP_EVERY, "options": {"queue": CONTROL, "expires": SWEEP_EVERY}},
}
