"""The drift engine: how a declared drift moves parameters, how far, when, and what is intended of each day.

It knows no domain. A generator's domain declares a table of targets and a reference population (`domain.py`);
schedules, solved sizes, refusals, daily intentions and the ledger follow from them. NumPy and SciPy only.
"""
