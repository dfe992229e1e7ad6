"""HOW history is drawn: NumPy and Arrow only, every draw a function of (scenario, day).

Promise: no database, no orchestrator, no wall clock, no global random state. A module or package in
this folder that registers a generator is found by itself (see `registry.py`).
"""
