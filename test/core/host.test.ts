/** The process' own clock, randomness, name and logger. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { systemClock } from "../../src/host/clock.ts";
import { printable, stderrLogger } from "../../src/host/logger.ts";
import { workerName } from "../../src/host/process.ts";
import { systemRandom } from "../../src/host/random.ts";

/** What is written to stderr meanwhile. */
function written(t: TestContext, write: () => void): string {
  const chunks: string[] = [];
  const mock = t.mock.method(process.stderr, "write", (chunk: string) => chunks.push(chunk) > 0);
  write();
  mock.mock.restore();
  return chunks.join("");
}

describe("the system clock", () => {
  it("never fires early, not even after a fraction of a millisecond", async () => {
    for (const delay of [0, 0.2, 1, 1.9, 5.5]) {
      const began = systemClock.mono();
      await new Promise<void>((resolve) => systemClock.after(delay, resolve));
      // A timer's own idea of now may be one millisecond old.
      assert.ok(systemClock.mono() - began >= delay - 1, `${delay}: after ${systemClock.mono() - began} ms`);
    }
  });

  it("does not fire at once what lies beyond 2^31 ms, or at the end of time (E7)", async () => {
    let fired = 0;
    const cancels = [2 ** 31, 2 ** 32 + 5, 100 * 365 * 86_400_000, Number.POSITIVE_INFINITY].map((delay) =>
      systemClock.after(delay, () => {
        fired += 1;
      }),
    );
    await new Promise<void>((resolve) => systemClock.after(20, resolve));
    assert.equal(fired, 0);
    for (const cancel of [...cancels, ...cancels]) cancel();
  });

  it("forgets what was cancelled, and takes a negative delay for none", async () => {
    let fired = 0;
    systemClock.after(0, () => assert.fail("cancelled"))();
    await new Promise<void>((resolve) => systemClock.after(-5, resolve));
    systemClock.soon(() => {
      fired += 1;
    });
    assert.equal(fired, 0);
    await turn();
    await turn();
    assert.equal(fired, 1);
  });
});

describe("the logger", () => {
  it("writes one line per entry, of its level and above", (t) => {
    const text = written(t, () => {
      const logger = stderrLogger();
      logger.debug("no");
      logger.info("no");
      logger.warn("careful", { task: "a.b", n: 5, error: new TypeError("x y") });
      logger.error("bad");
    });
    assert.equal(text, 'sidereal warn: careful task=a.b n=5 error="TypeError: x y"\nsidereal error: bad\n');
  });

  it("lets nothing steer a terminal or forge a line (X10)", (t) => {
    const evil = "a\nsidereal error: forged\r\u001b[31m\u001b]8;;http://x\u0007\u009b2J\u202e\u2028\u0000";
    const text = written(t, () => stderrLogger().warn(evil, { evil, error: new Error(evil), list: [evil] }));
    assert.equal(text.split("\n").length, 2);
    assert.doesNotMatch(text.slice(0, -1), /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
    assert.equal(printable("ok: ä 😀"), "ok: ä 😀");
  });

  it("takes any value", (t) => {
    const circular: Record<string, unknown> = {};
    circular["self"] = circular;
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const text = written(t, () =>
      stderrLogger().warn("odd", { circular, big: 5n, none: undefined, symbol: Symbol("s"), proxy }),
    );
    assert.equal(text.split("\n").length, 2);
  });
});

describe("a worker's name", () => {
  it("tells host, process and worker apart", () => {
    assert.match(workerName("abcdef0123456789"), new RegExp(`-${process.pid}-abcdef$`));
  });
});

describe("randomness", () => {
  it("fills bytes and gives numbers below one", () => {
    const bytes = new Uint8Array(64);
    systemRandom.fill(bytes);
    assert.ok(new Set(bytes).size > 20);
    const number = systemRandom.next();
    assert.ok(number >= 0 && number < 1);
  });
});
