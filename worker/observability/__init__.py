"""How the running system is seen: logs."""
