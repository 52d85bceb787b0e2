"""The schema's history: one table family per migration, each tested up and down."""
