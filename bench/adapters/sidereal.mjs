// What the adapters of Sidereal share: one task, one service, one worker.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { dist, now, payload } from "../lib/paths.mjs";

/**
 * Opens a service on this store with the settings nobody touched.
 * @param {(ms: number) => void} [onClaim] is told how long each claim took
 */
export async function openSidereal(queueBackend, onClaim) {
  if (onClaim !== undefined) timed(queueBackend, onClaim);
  const { QueueService, Worker, task } = await import(pathToFileURL(join(dist, "index.js")).href);
  let handle = () => {};
  const bench = task("bench", (input) => handle(input));
  const service = new QueueService({ queueBackend });
  await service.open();
  let worker = null;
  return {
    service,
    enqueue: (id, at) => service.enqueue(bench, payload(id, at)),
    enqueueMany(first, count, { delay } = {}) {
      const inputs = Array.from({ length: count }, (_, index) => payload(first + index));
      return delay === undefined ? service.enqueueMany(bench, inputs) : service.enqueueMany(bench, inputs, { delay });
    },
    async work(onTask) {
      handle = onTask;
      worker = new Worker(service);
      await worker.start();
    },
    /** Whether the worker holds anything; cheaper to ask than the store. */
    busy() {
      const { running = 0, claimed = 0 } = worker?.status() ?? {};
      return running + claimed > 0;
    },
    async close() {
      await worker?.stop();
      await service.close();
    },
  };
}

function timed(queueBackend, onClaim) {
  const claim = queueBackend.claim.bind(queueBackend);
  queueBackend.claim = async (request) => {
    const from = now();
    try {
      return await claim(request);
    } finally {
      onClaim(now() - from);
    }
  };
}
