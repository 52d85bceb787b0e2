"""Look at everything that ingestion needs, and say what is wrong and what to do about it.

``probes`` look and return values; the modules here judge the values and talk to nobody; ``examination`` joins them.
"""
