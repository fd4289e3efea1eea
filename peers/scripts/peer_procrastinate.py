"""procrastinate."""

import measure
import procrastinate
from procrastinate import PsycopgConnector


class Peer:
    package = "procrastinate"

    def __init__(self, app: procrastinate.App) -> None:
        self.app = app
        self.noop = app.task(name="noop")(self.handler)

    async def handler(self, p: str) -> None:
        self.runs.ran(p)

    async def set_up(self) -> None:
        await self.app.schema_manager.apply_schema_async()

    async def enqueue(self, numbers: range) -> None:
        async with self.app.connector.pool.connection() as connection, connection.transaction():
            deferrer = self.noop.configure(connection=connection)
            await deferrer.batch_defer_async(*(self.data(number) for number in numbers))

    async def enqueue_one(self, number: int) -> None:
        await self.noop.defer_async(**self.data(number))

    async def work(self) -> None:
        await self.app.run_worker_async(concurrency=20, delete_jobs="always", install_signal_handlers=False)

    async def fetch(self, query: str):
        row = await self.app.connector.execute_query_one_async(query)
        return row["left"]

    @staticmethod
    def data(number: int) -> dict:
        return {"p": measure.payload(number, len('{"p": ""}'))}


async def make(url: str) -> Peer:
    app = procrastinate.App(connector=PsycopgConnector(conninfo=url, min_size=22, max_size=22))
    await app.open_async()
    return Peer(app)


measure.run(make)
