"""The phases of a peer in Python, as `phase.rs` has them for Rust: one in a process, and a line of JSON about it."""

import asyncio
import json
import os
import random
import sys
import time
from importlib.metadata import version

import uvloop

BATCH = 1_000
WARM_UP = 10
LATENCIES = 10.0


class Runs:
    """Which jobs ran, how often, and when."""

    def __init__(self, jobs: int) -> None:
        self.starts = [0.0] * jobs
        self.all = 0
        self.distinct = 0
        self.news = asyncio.Event()

    def ran(self, payload: str) -> None:
        number = int(payload[: payload.index("x")])
        self.all += 1
        if not self.starts[number]:
            self.starts[number] = time.perf_counter()
            self.distinct += 1
            self.news.set()

    async def until(self, done) -> None:
        while not done():
            self.news.clear()
            await asyncio.wait_for(self.news.wait(), 60)


def payload(number: int, overhead: int) -> str:
    return f"{number:x<{100 - overhead}}"


async def enqueue(peer, jobs: int) -> dict:
    start = time.perf_counter()
    for first in range(0, jobs, BATCH):
        await peer.enqueue(range(first, min(jobs, first + BATCH)))
    return {"seconds": time.perf_counter() - start}


async def drain(peer, jobs: int) -> dict:
    peer.runs = runs = Runs(jobs)
    worker = asyncio.create_task(peer.work())
    await runs.until(lambda: runs.distinct == jobs or worker.done())
    while await peer.fetch(os.environ["PEER_LEFT"]):
        await asyncio.sleep(0.002)
    seconds = time.perf_counter() - min(runs.starts)
    return {"seconds": seconds, "duplicates": runs.all - runs.distinct}


async def latency(peer, samples: int) -> dict:
    peer.runs = runs = Runs(samples + WARM_UP)
    worker = asyncio.create_task(peer.work())
    waits = []
    deadline = time.perf_counter() + LATENCIES
    for number in range(samples + WARM_UP):
        await asyncio.sleep(random.uniform(0.005, 0.030))
        start = time.perf_counter()
        await peer.enqueue_one(number)
        await runs.until(lambda: runs.starts[number] or worker.done())
        if number >= WARM_UP:
            waits.append((runs.starts[number] - start) * 1_000)
        if waits and time.perf_counter() > deadline:
            break
    return {"millis": waits}


async def phase(make, name: str, count: int) -> dict:
    peer = await make(os.environ["DATABASE_URL"])
    if name == "setup":
        await peer.set_up()
        return {"version": version(peer.package)}
    return await {"enqueue": enqueue, "drain": drain, "latency": latency}[name](peer, count)


def run(make) -> None:
    async def main() -> None:
        print(json.dumps(await phase(make, sys.argv[1], int(sys.argv[2]))), flush=True)
        # Workers are still running, and nothing that they may do now is of interest.
        os._exit(0)

    uvloop.run(main())
