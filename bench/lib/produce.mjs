// The producer of W4: one task every 20 ms, each stamped with the moment of the call.
import { now, sleep } from "./paths.mjs";

export async function send(queue, count, every = 20) {
  const start = now();
  for (let id = 0; id < count; id += 1) {
    const wait = start + id * every - now();
    if (wait > 0) await sleep(wait);
    Promise.resolve(queue.enqueue(id, now())).catch((error) => {
      console.error(error);
      process.exit(1);
    });
  }
}

/** The same from a process of its own. */
export async function produce(adapter, options) {
  const queue = await adapter.open(options);
  for (let id = 1; id <= 5; id += 1) {
    await queue.enqueue(-id, 0);
    await sleep(50);
  }
  await sleep(500);
  await send(queue, options.count);
  await sleep(500);
  await queue.close();
  return {};
}
