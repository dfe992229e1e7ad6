"""IS IT TRUE: statistics on arrays that decide whether data is what it was declared to be.

Promise: NumPy and SciPy's special functions only. Nothing here knows how history is drawn; expectations
arrive as arguments, because a formula cannot grade itself.
"""
