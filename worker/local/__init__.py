"""The embedded local stack: real servers as children of one supervisor.

Nothing here imports Celery or SQLAlchemy: the supervisor stays small, and `mobius status` quick.
"""

from worker.local.errors import StackError
from worker.local.fleet import FleetOptions
from worker.local.launch import ServicePorts
from worker.local.lifecycle import ChildState, Phase
from worker.local.specs import ChildSpec, Probe, ProbeKind
from worker.local.stack import ChildStatus, StackStatus, down, purge, service_environment, status, up

__all__ = [
    "ChildSpec",
    "ChildState",
    "ChildStatus",
    "FleetOptions",
    "Phase",
    "Probe",
    "ProbeKind",
    "ServicePorts",
    "StackError",
    "StackStatus",
    "down",
    "purge",
    "service_environment",
    "status",
    "up",
]
