"""IS IT TRUE: statistics on arrays that decide whether data is what it was declared to be.

Promise: NumPy and SciPy only. Nothing here knows how history is drawn; expectations arrive as
arguments, because a formula cannot grade itself. `scipy.stats` is slow to import: written in full, it is
imported when the first figure is worked out, and checks can be listed without it.
"""
