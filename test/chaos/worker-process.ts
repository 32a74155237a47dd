/** One worker process of a chaos run: the package's own `Worker` on the watched store, and handlers that keep a ledger. */

import type { TaskContext } from "../../src/core/vocabulary.ts";
import { QueueService, task, Worker } from "../../src/index.ts";
import { type Facts, Ledger } from "./ledger.ts";
import type { Work } from "./load.ts";
import { type Arm, fromEnvironment, type Hog } from "./orders.ts";
import { opened } from "./patience.ts";
import { planted } from "./planted.ts";
import { storeNamed } from "./stores.ts";
import { Failpoints, witnessed } from "./witness.ts";

const orders = fromEnvironment();
const ledger = new Ledger(orders.ledgers, orders.who);
const failpoints = new Failpoints(ledger);

for (const event of ["uncaughtException", "unhandledRejection"] as const) {
  process.on(event, (error: unknown) => {
    const words = error instanceof Error ? (error.stack ?? error.message) : String(error);
    ledger.write("crash", { extra: [event, words.slice(0, 600).replaceAll(/\s+/g, " ")] });
    console.error(error);
    process.exit(70);
  });
}

task("chaos.work", { retries: 3, backoff: 50 }, async (work: Work, context: TaskContext) => {
  const { id, attempt, fence } = context;
  const facts = { id, attempt, fence };
  ledger.write("start", { ...facts, extra: [work.kind] });
  const begun = process.hrtime.bigint();
  context.signal.addEventListener("abort", () => {
    const code = (context.signal.reason as { code?: string }).code ?? "unknown";
    ledger.write("abort_seen", { ...facts, extra: [code, Number(process.hrtime.bigint() - begun) / 1e6] });
  });
  try {
    await handle(work, context, facts);
  } finally {
    ledger.write("end", facts);
  }
  return { who: orders.who, attempt, fence };
});

async function handle(work: Work, { attempt, signal }: TaskContext, facts: Facts): Promise<void> {
  if (work.kind === "pill") process.abort();
  if (work.kind === "hostile") throw hostile(work.n);
  if (work.kind === "flaky" && attempt === 1) throw new Error("the first attempt fails");
  if (work.kind === "blocker" && attempt === 1) block(facts, 2.5 * orders.lease);
  const heeded = work.kind === "stubborn" ? undefined : signal;
  await elapsed(work.before, heeded);
  ledger.write("effect", facts);
  await elapsed(work.after, heeded);
}

/** Resolves after so long; rejects with the signal's reason if that comes first. */
function elapsed(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) reject(signal.reason);
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

/** Holds up the whole event loop without costing the other processes anything. */
function block(facts: Facts, ms: number): void {
  ledger.write("block", { ...facts, extra: [ms] });
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** What nobody should throw. */
function hostile(n: number): unknown {
  const circular = new Error("circular");
  circular.cause = circular;
  const trap = Object.defineProperty(new Error("trap"), "message", {
    get: () => {
      throw new Error("reading the message throws");
    },
  });
  const unprintable = { toString: () => Symbol("no text") };
  const zeros = new Error(`NUL \0, half a pair \ud800, and ${"long ".repeat(20_000)}`);
  return [null, undefined, circular, trap, unprintable, zeros, 7n, Symbol("thrown")][n % 8];
}

/** Says when the event loop was held up for long: leases may be lost by that, whoever's fault it is. */
function watchLoop(): void {
  const every = 50;
  let last = process.hrtime.bigint();
  setInterval(() => {
    const now = process.hrtime.bigint();
    const late = Number(now - last) / 1e6 - every;
    last = now;
    if (late > 0.25 * orders.lease) ledger.write("stall", { extra: [late] });
  }, every).unref();
}

// Every other worker has a pool that its user's own code uses, too.
const { backend, hog } = storeNamed(orders.store).connect(orders.place, /^w\d*[02468]\./.test(orders.who));
const store = witnessed(planted(backend, orders.planted), ledger, failpoints);
const service = new QueueService<unknown>({
  queueBackend: store,
  worker: {
    leaseDuration: orders.lease,
    maxConcurrency: orders.concurrency,
    pollInterval: 50,
    gracefulShutdownTimeout: "10s",
    finalCancelTimeout: "1s",
  },
});
const worker = new Worker(service);

process.on("message", (order: Arm | Hog) => {
  if ("arm" in order) failpoints.arm(order.arm);
  else if (hog !== null) {
    ledger.write("hog", { extra: [order.hog] });
    void hog(order.hog).then(() => ledger.write("freed"));
  }
});
// Without the supervisor nobody would end this process.
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
let asked = 0;
let hasStarted = false;
process.on("SIGTERM", () => {
  asked += 1;
  ledger.write("term_seen");
  // A worker that is stopped cannot be started any more.
  if (!hasStarted) process.exit(0);
  void worker.stop({ force: asked > 1 }).then(async (outcome) => {
    await service.close();
    process.exit(outcome === "clean" ? 0 : 2);
  });
});

watchLoop();
await opened(service);
hasStarted = true;
await worker.start();
ledger.write("ready");
process.send?.({ ready: true });
