"""Signals in a process of their own: they end it once, wherever it is, and never cut short what is held."""

import signal
import subprocess
import sys

import pytest

BEGIN = "import os, signal, sys, time; from simtom_pipeline import interrupts; interrupts.heed()\n"
END = """
except BaseException as error:
    interrupts.ignore()
    interrupts.end(interrupts.received())
"""


def outcome(body: str) -> tuple[int, str, str]:
    """Exit code and output of a program that heeds signals as the command does."""
    indented = "".join(f"    {line}\n" for line in body.strip().splitlines())
    program = f"{BEGIN}try:\n{indented}{END}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process_with_its_code_and_the_last_words(number: signal.Signals) -> None:
    body = (
        f"interrupts.say_at_the_end(lambda: 'Farewell.')\nsignal.raise_signal({int(number)})\ntime.sleep(60)"
    )
    assert outcome(body) == (128 + number, "", "Farewell.\n")


def test_who_swallows_the_exception_or_handles_the_signal_does_not_hide_it() -> None:
    """As Dagster does during a run, and DuckDB during a query."""
    body = """
signal.signal(signal.SIGTERM, lambda number, frame: None)
signal.raise_signal(signal.SIGTERM)
raise RuntimeError("Query interrupted")
"""
    assert outcome(body) == (143, "", "Interrupted.\n")


def test_what_is_held_is_finished_before_the_signal_is_acted_on() -> None:
    body = """
with interrupts.held_back():
    signal.raise_signal(signal.SIGINT)
    print("finished")
print("not reached")
"""
    assert outcome(body) == (130, "finished\n", "Interrupted.\n")


def test_impatience_does_not_cut_the_ending_short() -> None:
    body = """
try:
    signal.raise_signal(signal.SIGINT)
finally:
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGTERM)
    print("tidied up")
"""
    assert outcome(body) == (130, "tidied up\n", "Interrupted.\n")


def test_a_signal_that_comes_where_nothing_can_be_raised_is_not_lost() -> None:
    body = """
class Disposed:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
        print("unreachable")
one = Disposed()
del one
time.sleep(60)
"""
    assert outcome(body) == (130, "", "Interrupted.\n")


def test_the_first_signal_is_the_one_that_counts() -> None:
    body = """
for number in (signal.SIGTERM, signal.SIGINT):
    try:
        signal.raise_signal(number)
    except KeyboardInterrupt:
        pass
raise ValueError
"""
    assert outcome(body) == (143, "", "Interrupted.\n")
