/** Fault injection: what the caller sees, what the store did, and that chances are seeded. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memory } from "../../src/index.ts";
import { enqueued } from "../../src/model/lifecycle.ts";
import { type FaultPlan, faulty, seededRandom, VirtualClock } from "../../src/testing/index.ts";

const POLICY = {
  retries: 0,
  backoff: { kind: "fixed", delay: 1, factor: 1, maxDelay: 1, jitter: 0 },
  timeout: null,
  requeueOnShutdown: true,
} as const;
let ids = 0;
function draft() {
  ids += 1;
  const id = `00000000-0000-7000-8000-${String(ids).padStart(12, "0")}`;
  return enqueued({ id, taskName: "t", queue: "q", execution: "local", priority: 0, input: null, policy: POLICY });
}

async function store(plan: Omit<FaultPlan, "clock">) {
  const clock = new VirtualClock();
  const inner = memory({ clock });
  await inner.open();
  const count = async () => (await inner.tally()).reduce((sum, { pending }) => sum + pending, 0);
  return { clock, inner, count, backend: faulty(inner, { clock, ...plan }) };
}

describe("faulty", () => {
  it("is the backend itself without a plan", async () => {
    const { backend, count } = await store({});
    await backend.insert([draft()]);
    assert.equal(await count(), 1);
  });

  it("loses requests before the store sees them, and replies after it acted", async () => {
    const { backend, count } = await store({
      onCall: ({ method, nth }) =>
        method === "insert"
          ? { lose: nth === 1 ? "request" : "reply", ...(nth === 3 && { code: "STORE_BUSY" }) }
          : null,
    });
    await assert.rejects(backend.insert([draft()]), { code: "STORE_UNAVAILABLE" });
    assert.equal(await count(), 0);
    await assert.rejects(backend.insert([draft()]), { code: "STORE_TIMEOUT" });
    assert.equal(await count(), 1);
    await assert.rejects(backend.insert([draft()]), { code: "STORE_BUSY" });
    assert.deepEqual({ ...backend.injected }, { ...backend.injected, loseRequest: 1, loseReply: 2 });
  });

  it("delays by the clock, in both directions, and delivers twice", async () => {
    const { backend, clock, count } = await store({
      onCall: ({ method }) => (method === "insert" ? { delayRequest: 100, delayReply: 50, duplicate: 500 } : null),
    });
    let answered = false;
    const answer = backend.insert([draft()]).then(() => {
      answered = true;
    });
    await clock.advance(99);
    assert.equal(await count(), 0);
    await clock.advance(1);
    assert.equal(await count(), 1);
    assert.equal(answered, false);
    await clock.advance(50);
    await answer;
    await clock.advance(500);
    assert.equal(await count(), 1, "the second delivery changes nothing");
  });

  it("gives the second answer of a call that a driver sent twice", async () => {
    const { backend, clock } = await store({ onCall: () => ({ resend: 10 }) });
    const [insertion] = await clock.runUntil(backend.insert([draft()]));
    assert.equal(insertion?.created, false);
  });

  it("hangs for ever", async () => {
    const { backend, clock, count } = await store({ rates: { insert: { hang: 1 } } });
    let ended = false;
    for (let call = 0; call < 20; call += 1)
      void backend.insert([draft()]).finally(() => {
        ended = true;
      });
    await clock.advance("1d");
    assert.equal(ended, false);
    const seen = await count();
    assert.ok(seen > 0 && seen < 20, "some were seen by the store, some were not");
    assert.equal(backend.injected.hang, 20);
  });

  it("draws the same faults for the same seed", async () => {
    const outcomes = async (seed: number) => {
      const { backend, clock } = await store({
        random: seededRandom(seed),
        rates: { every: { loseRequest: 0.3, loseReply: 0.3, delay: 0.5, duplicate: 0.2 }, now: {} },
      });
      const calls = Array.from({ length: 30 }, () =>
        backend.insert([draft()]).then(
          () => "stored",
          ({ code }: { code: string }) => code,
        ),
      );
      return clock.runUntil(Promise.all(calls));
    };
    const first = await outcomes(5);
    assert.deepEqual(first, await outcomes(5));
    assert.deepEqual([...new Set(first)].sort(), ["STORE_TIMEOUT", "STORE_UNAVAILABLE", "stored"]);
  });

  it("drops, doubles and delays hints", async () => {
    const heard = async (signals: NonNullable<FaultPlan["signals"]>) => {
      const { backend, clock } = await store({ signals });
      let hints = 0;
      const cancel = backend.signals?.subscribe(() => {
        hints += 1;
      });
      await backend.insert([draft()]);
      const atOnce = hints;
      await clock.advance("1m");
      cancel?.();
      await backend.insert([draft()]);
      await clock.advance("1m");
      return [atOnce, hints];
    };
    assert.deepEqual(await heard({}), [1, 1]);
    assert.deepEqual(await heard({ drop: 1 }), [0, 0]);
    assert.deepEqual(await heard({ duplicate: 1 }), [2, 2]);
    assert.deepEqual(await heard({ delay: 1_000 }), [0, 1]);
  });
});
