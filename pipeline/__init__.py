"""The pure domain: values in, values out; no queue, no store, no network, no environment."""
