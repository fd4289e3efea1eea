// The phases of a peer in Node, as `phase.rs` has them for Rust: one in a process, and a line of JSON about it.

import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";

const BATCH = 1_000;
const WARM_UP = 10;
const LATENCIES = 10_000;
const PATIENCE = 60_000;

export const url = process.env.DATABASE_URL;

/** Which jobs ran, how often, and when. */
class Runs {
  constructor(jobs) {
    this.starts = new Float64Array(jobs);
    this.all = 0;
    this.distinct = 0;
    this.news = () => {};
  }

  ran(payload) {
    const number = parseInt(payload, 10);
    this.all += 1;
    if (!this.starts[number]) {
      this.starts[number] = performance.now();
      this.distinct += 1;
      this.news();
    }
  }

  async until(done) {
    const deadline = performance.now() + PATIENCE;
    while (!done()) {
      if (performance.now() > deadline) throw new Error(`jobs did not start within ${PATIENCE} ms`);
      const news = new Promise((resolve) => (this.news = resolve));
      await Promise.race([news, sleep(1_000)]);
    }
  }
}

export function payload(number, overhead) {
  return `${number}`.padEnd(100 - overhead, "x");
}

const range = (first, end) => Array.from({ length: end - first }, (_, at) => first + at);

async function enqueue(peer, jobs) {
  const start = performance.now();
  for (let first = 0; first < jobs; first += BATCH) {
    await peer.enqueue(range(first, Math.min(jobs, first + BATCH)));
  }
  return { seconds: (performance.now() - start) / 1_000 };
}

async function drain(peer, jobs) {
  const runs = (peer.runs = new Runs(jobs));
  await peer.work();
  // Waking up for each job would cost a script more than the job does.
  while (runs.distinct < jobs) await sleep(1);
  while ((await peer.pool.query(process.env.PEER_LEFT)).rows[0].left) await sleep(2);
  return { seconds: (performance.now() - Math.min(...sampled(runs))) / 1_000, duplicates: runs.all - runs.distinct };
}

// The first job is among the first that were enqueued, and `Math.min` takes only so many arguments.
const sampled = (runs) => runs.starts.slice(0, 10_000);

async function latency(peer, samples) {
  const runs = (peer.runs = new Runs(samples + WARM_UP));
  await peer.work();
  const waits = [];
  const deadline = performance.now() + LATENCIES;
  for (let number = 0; number < samples + WARM_UP; number++) {
    await sleep(5 + Math.random() * 25);
    const start = performance.now();
    await peer.enqueueOne(number);
    await runs.until(() => runs.starts[number]);
    if (number >= WARM_UP) waits.push(runs.starts[number] - start);
    if (waits.length && performance.now() > deadline) break;
  }
  return { millis: waits };
}

async function setUp(peer) {
  await peer.setUp();
  const file = new URL(`./node_modules/${peer.package}/package.json`, import.meta.url);
  return { version: JSON.parse(readFileSync(file)).version };
}

export async function run(peer) {
  const [phase, count] = process.argv.slice(2);
  const phases = { setup: setUp, enqueue, drain, latency };
  const told = await phases[phase](peer, Number(count));
  process.stdout.write(`${JSON.stringify(told)}\n`);
  // Workers are still running, and nothing that they may do now is of interest.
  process.exit(0);
}
