"""The product's Celery application with a clock that is wrong, or with less patience than is shipped.

``python -m harness.tuned`` is a dispatcher over it.
"""

from __future__ import annotations

import os

from harness.tuning import CLOCK, DRAIN, REDIS_PATIENCE
from harness.wrong_clock import set_wrong

if CLOCK in os.environ:
    # Before anything else is imported: some modules take the functions and not the module.
    set_wrong(float(os.environ[CLOCK]))

from worker.app import app

if DRAIN in os.environ:
    app.conf.worker_soft_shutdown_timeout = float(os.environ[DRAIN])
if REDIS_PATIENCE in os.environ:
    _patience = float(os.environ[REDIS_PATIENCE])
    app.conf.broker_transport_options = app.conf.broker_transport_options | {
        "socket_timeout": _patience,
        "socket_connect_timeout": _patience,
        "health_check_interval": _patience,
        "visibility_timeout": _patience + 1,
        "unacked_restore_interval": 1,
    }
    app.conf.redis_socket_timeout = app.conf.redis_socket_connect_timeout = _patience
    app.conf.redis_backend_health_check_interval = _patience

if __name__ == "__main__":
    from worker.dispatcher import main

    main()
