"""A history as a stream: every record once, in the order of a clock, from any record on.

`selection` says which records a stream is made of, `delivery` on which day and in which order each of them
comes, `positions` how a record is named, so that a stream goes on after it. A source draws the days or reads
what has landed. Promise: what is streamed is a function of (scenario, selection); nothing here sleeps, knows
a server or keeps a buffer.
"""
