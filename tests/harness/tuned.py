"""The product's Celery application with a clock that is wrong, or with less patience at its end than is shipped."""

from __future__ import annotations

import os
import time

from harness.tuning import CLOCK, DRAIN

_true_time = time.time
if CLOCK in os.environ:
    # Before anything else is imported: some modules take the function and not the module.
    time.time = lambda: _true_time() + float(os.environ[CLOCK])

from worker.app import app  # noqa: E402  see above

if DRAIN in os.environ:
    app.conf.worker_soft_shutdown_timeout = float(os.environ[DRAIN])
