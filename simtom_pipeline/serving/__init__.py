"""The HTTP service: the streams of `streaming` for those who ask with curl, a program or a browser.

`app` has the addresses, `live` the parameters of a live stream and the scenario they mean, `paced` sends
records when they are due, `formats` says how they look on the wire, `bounds` how much may be asked for.

Promise: only here HTTP is known. What is sent is decided by `streaming`.
"""
