// One operation in a fresh process: `node measure.mjs ADAPTER OPERATION JSON`. Prints one line that starts with "@@".
import { loadAdapter } from "./adapters.mjs";
import { machineBusy, serverSeconds } from "./machine.mjs";
import { pinned } from "./pinned.mjs";
import { produce } from "./produce.mjs";
import { workloads } from "./workloads.mjs";

const [, , file, operation, json] = process.argv;
const options = JSON.parse(json);
const adapter = await loadAdapter(file);

/** Fills the store through its bulk call and leaves. */
async function fill() {
  const queue = await adapter.open(options);
  const { bulk } = workloads;
  await bulk(queue, adapter, options.count, options.delay);
  await queue.close();
  return {};
}

async function seed() {
  const queue = await adapter.open(options);
  const ran = new Promise((resolve) => queue.work(resolve));
  await queue.enqueue(0, 0);
  await ran;
  await workloads.drained(queue);
  await queue.seedCompleted(options.count);
  await queue.close();
  return {};
}

const operations = {
  fill,
  seed,
  produce: () => produce(adapter, options),
  pinned: () => pinned(adapter, options),
  ...workloads.measured,
};
try {
  const cpu = process.cpuUsage();
  const [busy, worked, at] = [machineBusy(), serverSeconds(options.url), performance.now()];
  const answer = await operations[operation](adapter, options);
  const used = process.cpuUsage(cpu);
  const seconds = (performance.now() - at) / 1_000;
  const own = (used.user + used.system) / 1e6 + serverSeconds(options.url) - worked;
  const others = busy === null ? 0 : Math.max(0, machineBusy() - busy - own) / seconds;
  process.stdout.write(`@@${JSON.stringify({ others, ...answer })}\n`, () => process.exit(0));
} catch (error) {
  console.error(error);
  process.exit(1);
}
