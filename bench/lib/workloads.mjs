// The workloads W1 to W5 and W7: each opens the store, does its work between two readings of the clock, and answers.
import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { serverSeconds } from "./machine.mjs";
import { now, sleep } from "./paths.mjs";
import { send } from "./produce.mjs";

const CHUNK = 1_000;
const IN_FLIGHT = 64;

/** Calls `one` for 0 to count-1 with so many unanswered at a time. */
async function pump(count, inFlight, one) {
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const id = next;
      next += 1;
      await one(id);
    }
  };
  await Promise.all(Array.from({ length: Math.min(inFlight, count) }, lane));
}

function bulk(queue, adapter, count, delay) {
  const options = delay === undefined ? {} : { delay };
  return pump(Math.ceil(count / CHUNK), adapter.bulkInFlight, (chunk) =>
    queue.enqueueMany(chunk * CHUNK, Math.min(CHUNK, count - chunk * CHUNK), options),
  );
}

/** Waits until the store itself holds nothing due that is unfinished. */
async function drained(queue) {
  // What the last handlers left to be stored is under way: a turn of the event loop costs less than a look in vain.
  await new Promise((resolve) => setImmediate(resolve));
  while (await queue.unfinished()) await sleep(1);
}

async function rate(count, work, { url }) {
  globalThis.gc?.();
  const worked = serverSeconds(url);
  const cpu = process.cpuUsage();
  const start = performance.now();
  await work();
  const value = count / ((performance.now() - start) / 1_000);
  const { user, system } = process.cpuUsage(cpu);
  // Microseconds of CPU per task: for comparing two builds on a machine that has other work.
  return { value, cpu: (user + system) / count, server: ((serverSeconds(url) - worked) * 1e6) / count };
}

/** Resolves once `count` tasks have run. */
function counter(count) {
  let ran = 0;
  const { promise, resolve } = Promise.withResolvers();
  const onTask = () => {
    ran += 1;
    if (ran === count) resolve();
  };
  return { all: promise, onTask };
}

async function W1(adapter, { count, ...options }) {
  const queue = await adapter.open({ workload: "W1", ...options });
  await pump(200, IN_FLIGHT, (id) => queue.enqueue(-1 - id, 0));
  return rate(count, () => pump(count, IN_FLIGHT, (id) => queue.enqueue(id, 0)), options);
}

async function W2(adapter, { count, ...options }) {
  const queue = await adapter.open({ workload: "W2", ...options });
  await queue.enqueueMany(-100, 100);
  return rate(count, () => bulk(queue, adapter, count), options);
}

async function W3(adapter, { count, prefill, ...options }) {
  const queue = await adapter.open({ workload: "W3", ...options });
  const { all, onTask } = counter(count);
  // What lives in memory is filled here: it cannot outlive its process.
  if (prefill) await bulk(queue, adapter, count);
  return rate(
    count,
    async () => {
      await queue.work(onTask);
      await all;
      await drained(queue);
    },
    options,
  );
}

async function W4(adapter, { count, elsewhere, adapterFile, ...options }) {
  const queue = await adapter.open({ workload: "W4", ...options });
  const latencies = [];
  const { promise: all, resolve } = Promise.withResolvers();
  await queue.work(({ id, at }) => {
    if (id < 0) return;
    latencies.push(now() - at);
    if (latencies.length === count) resolve();
  });
  if (elsewhere) {
    const arguments_ = [fileURLToPath(new URL("measure.mjs", import.meta.url)), adapterFile, "produce"];
    const producer = spawn(process.execPath, ["--no-warnings", ...arguments_, JSON.stringify({ ...options, count })], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    producer.on("exit", (code) => code !== 0 && process.exit(1));
  } else {
    for (let id = 1; id <= 5; id += 1) {
      await queue.enqueue(-id, 0);
      await sleep(100);
    }
    await sleep(1_000);
    await send(queue, count);
  }
  await all;
  const sorted = latencies.sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

async function W5(adapter, { count, ...options }) {
  const queue = await adapter.open({ workload: "W5", ...options });
  const { all, onTask } = counter(count + 5);
  await queue.work(onTask);
  for (let id = 1; id <= 5; id += 1) {
    await queue.enqueue(-id, 0);
    await sleep(60);
  }
  await sleep(500);
  return rate(
    count,
    async () => {
      await pump(count, IN_FLIGHT, (id) => queue.enqueue(id, 0));
      await all;
      await drained(queue);
    },
    options,
  );
}

function memoryNow() {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage();
}

/** Resident size of a worker that has run a few tasks and waits. */
async function idle(adapter, options) {
  const queue = await adapter.open({ workload: "W7", ...options });
  const { all, onTask } = counter(5);
  await queue.work(onTask);
  for (let id = 1; id <= 5; id += 1) await queue.enqueue(id, 0);
  await all;
  await sleep(2_000);
  const { rss, heapUsed } = memoryNow();
  return { rss, heapUsed };
}

/** What stays after many tasks went through: the difference between a tenth of them and all. */
async function growth(adapter, { count, ...options }) {
  const queue = await adapter.open({ workload: "W7", ...options });
  let ran = 0;
  await queue.work(() => {
    ran += 1;
  });
  const through = async (until) => {
    while (ran < until) {
      const sent = ran + CHUNK;
      await queue.enqueueMany(ran, CHUNK);
      while (ran < sent) await sleep(1);
    }
    await drained(queue);
    return memoryNow();
  };
  const before = await through(Math.ceil(count / 10));
  const tasks = ran;
  const after = await through(count);
  return { heap: after.heapUsed - before.heapUsed, rss: after.rss - before.rss, tasks: ran - tasks };
}

/** Bytes that a stored task takes: of the file, or of the heap. */
async function stored(adapter, { count, ...options }) {
  const queue = await adapter.open({ workload: "W7", ...options });
  await queue.enqueueMany(0, CHUNK);
  const before = queue.bytes === undefined ? memoryNow().heapUsed : await queue.bytes();
  await bulk(queue, adapter, count);
  if (queue.bytes !== undefined) return { value: ((await queue.bytes()) - before) / count };
  if (adapter.store === "memory") return { value: (memoryNow().heapUsed - before) / count };
  await queue.close();
  return { value: statSync(options.file).size / (count + CHUNK) };
}

export const workloads = { bulk, drained, measured: { W1, W2, W3, W4, W5, idle, growth, stored } };
