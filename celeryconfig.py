"""Celery's configuration: assignments only. Why each value is what it is stands beside it."""

from beat_schedule import BEAT_SCHEDULE
from pipeline.types import Stage
from tasks.queues import CPU_QUEUES, RECONCILE, ROUTES, task_name
from worker.settings import load_settings

_settings = load_settings()

imports = ("tasks.ingest", "tasks.maintenance", "tasks.reconcile")
broker_url = _settings.broker_url
result_backend = _settings.result_url
beat_schedule = BEAT_SCHEDULE

task_routes = ROUTES
task_serializer = "json"
accept_content = ("json",)
result_serializer = "json"
# Ids and counts, for Flower and the status API; nothing depends on them.
task_ignore_result = False
result_expires = 24 * 3600
task_send_sent_event = True
worker_send_task_events = True

# A message is a hint, the ledger is the record; late acks only make a shutdown hand prefetched messages back.
task_acks_late = True
# A redelivered message finds its token taken and dies; the lease brings the slice back. True would loop on poison
# (celery/celery#9082).
task_reject_on_worker_lost = False
worker_prefetch_multiplier = 1
task_annotations = {
    task_name(stage): {
        "time_limit": _settings.cpu_time_limit if stage.value in CPU_QUEUES else _settings.io_time_limit,
    }
    for stage in Stage
} | {RECONCILE: {"time_limit": _settings.reconcile_time_limit}}
# Longer than any time limit; recovery does not wait for it.
broker_transport_options = {
    "visibility_timeout": 2 * max(_settings.cpu_time_limit, _settings.io_time_limit, _settings.reconcile_time_limit),
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 30,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 25,
    "retry_on_timeout": False,
}
result_backend_transport_options = {"retry_policy": {"timeout": 5.0}}
redis_socket_timeout = 30.0
redis_socket_connect_timeout = 5.0
redis_socket_keepalive = True
redis_backend_health_check_interval = 25
# Workers wait for Redis as long as it takes; the default gives up after 100 tries and exits.
broker_connection_retry_on_startup = True
broker_connection_max_retries = None
# True exits the worker when Redis is broker and result backend at once (celery/celery#9250).
worker_cancel_long_running_tasks_on_connection_loss = False
# A producer that cannot publish gives the slice back to the ledger at once.
task_publish_retry_policy = {"max_retries": 2, "interval_start": 0.1, "interval_step": 0.2, "interval_max": 0.5}

worker_soft_shutdown_timeout = 20.0
worker_enable_soft_shutdown_on_idle = True
worker_max_tasks_per_child = 500
# kB; checked after a task. A child that grew beyond this is replaced.
worker_max_memory_per_child = 380_000
worker_hijack_root_logger = False
worker_redirect_stdouts = False
timezone = "UTC"
