// graphile-worker, the original.

import { Logger, makeWorkerUtils, run as runWorker } from "graphile-worker";
import pg from "pg";

import { payload, run, url } from "./measure.mjs";

const ADD_JOBS = `
  select count(*)
  from graphile_worker.add_jobs(array(
    select json_populate_recordset(null::graphile_worker.job_spec, $1::json)
  ))`;

const pool = new pg.Pool({ connectionString: url, max: 2 });
const data = (number) => ({ p: payload(number, '{"p":""}'.length) });

// At a job a line its log would be what is measured.
const logger = new Logger(() => () => {});
const preset = {
  worker: {
    connectionString: url,
    logger,
    concurrentJobs: 24,
    maxPoolSize: 25,
    localQueue: { size: 500 },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  },
};

const utils = () => makeWorkerUtils({ preset });
let producer;

await run({
  package: "graphile-worker",
  pool,

  async setUp() {
    await (await utils()).migrate();
  },

  async enqueue(numbers) {
    const client = await pool.connect();
    await client.query("begin");
    await client.query(ADD_JOBS, [JSON.stringify(numbers.map((number) => ({ identifier: "noop", payload: data(number) })))]);
    await client.query("commit");
    client.release();
  },

  async enqueueOne(number) {
    producer ??= await utils();
    await producer.addJob("noop", data(number));
  },

  async work() {
    await runWorker({ preset, taskList: { noop: async (job) => this.runs.ran(job.p) } });
  },
});
