"""What beat sends, how often, and after how many seconds a tick that nobody took is worthless."""

from tasks.queues import CONTROL, RECONCILE, SWEEP
from worker.settings import load_settings

#: Seconds. The dispatcher sweeps more often; this is its stand-in.
SWEEP_EVERY = 15.0
#: Seconds. A pass that is not over by then is not disturbed: the next one ends at once.
RECONCILE_EVERY = load_settings().reconcile_seconds

BEAT_SCHEDULE = {
    "sweep": {"task": SWEEP, "schedule": SWEEP_EVERY, "options": {"queue": CONTROL, "expires": SWEEP_EVERY}},
    "reconcile": {
        "task": RECONCILE,
        "schedule": RECONCILE_EVERY,
        "options": {"queue": CONTROL, "expires": RECONCILE_EVERY},
    },
}
