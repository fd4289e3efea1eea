// pg-boss.

import pg from "pg";
import { PgBoss } from "pg-boss";

import { payload, run, url } from "./measure.mjs";

const QUEUE = "noop";
const pool = new pg.Pool({ connectionString: url, max: 2 });
const data = (number) => ({ p: payload(number, '{"p":""}'.length) });

let boss;
async function started() {
  if (!boss) {
    boss = new PgBoss({ connectionString: url, max: 10, useListenNotify: true });
    boss.on("error", (error) => console.error(`${error}`));
    await boss.start();
  }
  return boss;
}

await run({
  package: "pg-boss",
  pool,

  async setUp() {
    await (await started()).createQueue(QUEUE, { notify: true });
  },

  async enqueue(numbers) {
    const boss = await started();
    const client = await pool.connect();
    await client.query("begin");
    const db = { executeSql: (text, values) => client.query(text, values) };
    await boss.insert(QUEUE, numbers.map((number) => ({ data: data(number) })), { db });
    await client.query("commit");
    client.release();
  },

  async enqueueOne(number) {
    await (await started()).send(QUEUE, data(number));
  },

  async work() {
    const options = { batchSize: 1_000, burstWhenBatchFull: true, localConcurrency: 2, pollingIntervalSeconds: 0.5 };
    await (await started()).work(QUEUE, options, async (jobs) => {
      for (const job of jobs) this.runs.ran(job.data.p);
    });
  },
});
