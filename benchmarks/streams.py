"""What streams cost, and whether they keep their promises under load; writes docs/benchmarks_streams.md.

    python benchmarks/streams.py [SECONDS]     # 60 by default

A server in a process of its own on loopback, clients in one other process. Measured: 50 clients at 100 records a
second each, whether any record is lost or repeated, the rate, and how it drifts; one client at 500 a second; the
first record of a stream that has to draw the days before; the server's processor time and memory.
"""

import asyncio
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks_streams.md"
CLIENTS, RATE = 50, 100


@dataclass(frozen=True)
class Received:
    """What a client received.

    Attributes
    ----------
    counts : the running number in each id, shape (n,).
    seconds : when each came, shape (n,).
    """

    counts: np.ndarray
    seconds: np.ndarray

    def is_whole(self) -> bool:
        """Whether every record came once."""
        return bool(np.array_equal(self.counts, np.arange(len(self.counts))))

    def rate(self, part: slice) -> float:
        """Records a second in a part of them."""
        seconds = self.seconds[part]
        return float((len(seconds) - 1) / (seconds[-1] - seconds[0]))


async def receive(address: str, rate: int, records: int, seed: int) -> Received:
    """A stream of Poisson arrivals, to its end."""
    query = {
        "rate_per_second": rate / 100, "time_compression": 100, "arrival_pattern": "poisson",
        "max_records": records, "seed": seed, "start_time": "2024-03-01",
    }  # fmt: skip
    counts, seconds = [], []
    async with (
        httpx.AsyncClient(timeout=120) as client,
        client.stream("GET", f"{address}/stream/bnpl", params=query) as answer,
    ):
        answer.raise_for_status()
        async for line in answer.aiter_lines():
            if line.startswith("id: "):
                counts.append(int(line.rpartition(".")[2]))
                seconds.append(time.perf_counter())
    return Received(np.array(counts), np.array(seconds))


async def many(address: str, seconds: int) -> list[Received]:
    """All clients at once."""
    asked = (receive(address, RATE, RATE * seconds, seed) for seed in range(CLIENTS))
    return await asyncio.gather(*asked)


def used(pid: int) -> tuple[float, float]:
    """Processor seconds and peak megabytes of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    peak = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmHWM" in line)
    return (int(fields[11]) + int(fields[12])) / ticks, int(peak.split()[1]) / 1024


def first_record(address: str, query: str) -> float:
    """Seconds to the first record of a scenario's stream."""
    began = time.perf_counter()
    with httpx.stream("GET", f"{address}/scenarios/baseline/stream?{query}", timeout=120) as answer:
        next(answer.iter_lines())
    return time.perf_counter() - began


def main(seconds: int) -> None:
    """Measure, print and write the page."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as home:
        server = subprocess.Popen(
            [sys.executable, "-m", "simtom_pipeline", "serve", "--port", str(port)],
            env=os.environ | {"SIMTOM_HOME": home},
        )
        try:
            for _ in range(200):
                try:
                    httpx.get(f"{address}/health")
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            plain = first_record(address, "from=2024-10-26")
            late = first_record(address, "from=2024-10-26&order=ingested_at&labels=as_known")
            before, _ = used(server.pid)
            one = asyncio.run(receive(address, 500, 500 * seconds, 1))
            alone, _ = used(server.pid)
            began = time.perf_counter()
            all_of_them = asyncio.run(many(address, seconds))
            lasted = time.perf_counter() - began
            together, peak = used(server.pid)
        finally:
            server.terminate()
            server.wait()
    after_start = slice(len(one.counts) // 10, None)
    halves = [
        one.rate(slice(len(one.counts) // 10, len(one.counts) // 2)),
        one.rate(slice(len(one.counts) // 2, None)),
    ]
    rates = [client.rate(slice(len(client.counts) // 10, None)) for client in all_of_them]
    whole = sum(client.is_whole() for client in all_of_them)
    lines = [
        "# What streams cost",
        "",
        f"`python benchmarks/streams.py {seconds}` on {platform.machine()}, {os.cpu_count()} cores, Python"
        f" {platform.python_version()}; the clients ran on the same cores.",
        "",
        "| | |",
        "|---|---|",
        f"| {CLIENTS} clients at {RATE} records a second for {seconds} s: clients that got every record once | {whole} of {CLIENTS} |",
        f"| records a second of a client: least, median, most | {min(rates):.1f}, {np.median(rates):.1f}, {max(rates):.1f} |",
        f"| processor seconds of the server a second | {(together - alone) / lasted:.2f} |",
        f"| peak memory of the server | {peak:,.0f} MB |",
        f"| one client at 500 a second: records a second, first and second half | {one.rate(after_start):.1f}, {halves[0]:.1f}, {halves[1]:.1f} |",
        f"| every record of it once | {'yes' if one.is_whole() else 'no'} |",
        f"| processor seconds of the server for it, a second | {(alone - before) / seconds:.2f} |",
        f"| first record at day 300 of the baseline, in order of time | {plain:.1f} s |",
        f"| first record there by arrival and with labels | {late:.1f} s |",
        "",
        "Arrivals are a Poisson process, so a client's rate over n records varies by 1/sqrt(n) of itself.",
        "",
    ]  # fmt: skip
    print("\n".join(lines))
    PAGE.write_text("\n".join(lines))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
