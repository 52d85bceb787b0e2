"""Adapters: each translates one vendor's client into a port."""
