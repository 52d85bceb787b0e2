"""Wires the domain to Celery, Postgres, Qdrant and the command line. Nobody imports this package."""
