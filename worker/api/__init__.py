"""The status API: a thin HTTP face over the ledger's views and the workflow."""
