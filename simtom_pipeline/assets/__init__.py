"""The Dagster room: partitions, the asset factory, checks, schedules, the instance.

Assets are thin: simulate, land, attach metadata. What is simulated and how it is landed is decided
elsewhere.
"""
