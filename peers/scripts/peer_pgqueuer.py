"""PgQueuer."""

from datetime import timedelta

import asyncpg
import measure
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries


class Peer:
    package = "pgqueuer"

    def __init__(self, url: str, connection: asyncpg.Connection) -> None:
        self.url = url
        self.connection = connection
        self.queries = Queries(AsyncpgDriver(connection))

    async def set_up(self) -> None:
        await self.queries.install()

    async def enqueue(self, numbers: range) -> None:
        payloads = [measure.payload(number, 0).encode() for number in numbers]
        async with self.connection.transaction():
            await self.queries.enqueue(["noop"] * len(payloads), payloads, [0] * len(payloads))

    async def enqueue_one(self, number: int) -> None:
        await self.queries.enqueue("noop", measure.payload(number, 0).encode())

    async def work(self) -> None:
        pgq = PgQueuer.from_asyncpg_connection(await asyncpg.connect(self.url))

        @pgq.entrypoint("noop")
        async def noop(job) -> None:
            self.runs.ran(job.payload.decode())

        await pgq.run(batch_size=1_000, dequeue_timeout=timedelta(seconds=30))

    async def fetch(self, query: str):
        return await self.connection.fetchval(query)


async def make(url: str) -> Peer:
    return Peer(url, await asyncpg.connect(url))


measure.run(make)
