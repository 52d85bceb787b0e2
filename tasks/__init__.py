"""The Celery tasks: thin adapters around the pipeline, and the one place that holds their policy."""
