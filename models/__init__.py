"""The ledger: tables, the statements that move work through its states, and the read side."""
