/**
 * The producer of a chaos run: enqueues every client number under its own key, and after a restart sends again whatever
 * no earlier life of it saw acknowledged.
 */

import { task } from "../../src/core/task.ts";
import { QueueService, type Task } from "../../src/index.ts";
import { Ledger, readLedgers } from "./ledger.ts";
import { isForever, keyOf, type Work, workload } from "./load.ts";
import { fromEnvironment } from "./orders.ts";
import { opened, patient } from "./patience.ts";
import { planted } from "./planted.ts";
import { storeNamed } from "./stores.ts";
import { Failpoints, witnessed } from "./witness.ts";

/** Enqueues at once. */
const TOGETHER = 16;

const orders = fromEnvironment();
const ledger = new Ledger(orders.ledgers, orders.who);
const failpoints = new Failpoints(ledger);
const { backend } = storeNamed(orders.store).connect(orders.place, false);
const store = witnessed(planted(backend, orders.planted), ledger, failpoints);
const service = new QueueService<unknown>({ queueBackend: store });
// Known by name and defaults only: the producer runs nothing.
const work = task("chaos.work", { retries: 3, backoff: 50 }, (_: Work): null => null) as Task<Work, null>;

// Its writes are over too soon to be told meanwhile.
if (orders.fate !== null) failpoints.arm(orders.fate.point, orders.fate.time);
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
process.on("SIGTERM", () => process.exit(0));

/** Sends it, and again under the same key while the store is in trouble. */
function send(item: Work): Promise<void> {
  return patient(() => sendOnce(item));
}

async function sendOnce(item: Work): Promise<void> {
  const facts = { id: String(item.n) };
  ledger.write("enq_call", facts);
  try {
    const retries = item.kind === "hostile" ? { retries: 0 } : {};
    const until = isForever(item.n) ? { uniqueUntil: "forever" as const } : {};
    const handle = await service.enqueue(work, item, { key: keyOf(item.n), ...retries, ...until });
    ledger.write("enq_ack", { ...facts, extra: [handle.id, handle.outcome] });
    failpoints.reached("ack:after");
  } catch (error) {
    ledger.write("enq_err", { ...facts, extra: [(error as { code?: string }).code ?? "unknown"] });
    throw error;
  }
}

/** Waits until the queue is short enough. */
async function room(): Promise<void> {
  for (;;) {
    const { pending, scheduled } = await patient(() => service.counts());
    if (pending + scheduled < orders.backlog) return;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

const acknowledged = new Set(readLedgers(orders.ledgers).flatMap(({ event, id }) => (event === "enq_ack" ? [id] : [])));
const rest = workload(orders.load).filter(({ n }) => !acknowledged.has(String(n)));
await opened(service);
ledger.write("ready");
process.send?.({ ready: true });
for (let at = 0; at < rest.length; at += TOGETHER) {
  await room();
  await Promise.all(rest.slice(at, at + TOGETHER).map(send));
}
process.send?.({ done: true });
