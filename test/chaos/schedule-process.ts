/** One process of the chaos of schedules: a worker on the store that all share, whose handler tells its parent each tick. */

import { sqlite } from "../../src/backends/sqlite/index.ts";
import { QueueService, task, Worker } from "../../src/index.ts";

const [file = "", interval = "1000"] = process.argv.slice(2);

/** Every instant is to run, late or not, and beside each other if need be. */
task(
  "chaos.tick",
  { schedule: { interval: Number(interval), overlap: "allow", misfire: { all: { max: 1_000, within: "1d" } } } },
  async (_, ctx) => {
    process.send?.({ instant: ctx.scheduledFor?.getTime() });
  },
);

const service = new QueueService({
  queueBackend: sqlite(file),
  worker: { pollInterval: 50, leaseDuration: 1_500, gracefulShutdownTimeout: "5s" },
});
await service.open();
const worker = await new Worker(service).start();
process.once("message", async () => {
  await worker.stop();
  await service.close();
  process.disconnect?.();
});
