"""Is what landed true? A landed history, the list of its checks, and what they find, without Dagster."""
