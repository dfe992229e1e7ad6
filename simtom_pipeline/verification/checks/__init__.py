"""The checks, a file a subject. Each file has `checks(simulation)`, which yields the checks of a scenario.

A file that is put here is found: nothing else has to name it.
"""
