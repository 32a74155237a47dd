/** Failures that every store on a server must survive, one at a time, on a server of the test's own. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { QueueBackend } from "../../src/contracts/queue-backend.ts";
import { QueueService, SiderealError, type Task, task, Worker } from "../../src/index.ts";
import { draftOf, idOf } from "../../src/testing/backend-contract/stage.ts";
import { type OwnServer, ownServer } from "./own-server.ts";
import { Relay } from "./relay.ts";

/** A kind of store, and how to look behind it. */
export interface Subject {
  readonly kind: "postgres" | "mysql";
  connect(address: string): QueueBackend<unknown>;
  /** Ends every session of the server but the one that asks. */
  endSessions(address: string): Promise<void>;
  /** Cancels what runs in every other session; answers how many there were. */
  cancelStatements(address: string): Promise<number>;
  /** Locks the tasks until the promise resolves. */
  lock(address: string, over: Promise<void>): Promise<void>;
  /** A pool of the user's with two connections, and a store that is lent it. */
  lend(address: string): { backend: QueueBackend<unknown>; take(): Promise<{ release(): void }>; end(): Promise<void> };
}

/** How long a worker may take to come back once the store is well, ms. */
const RETURN = 10_000;

/** A worker with a task that counts its runs, and whoever waits for the next one. */
class Bench {
  readonly service: QueueService<unknown>;
  readonly #worker: Worker;
  readonly #tick: Task<number, null>;
  readonly #runs = new Map<number, () => void>();
  #next = 0;

  constructor(backend: QueueBackend<unknown>, name: string) {
    this.service = new QueueService<unknown>({
      queueBackend: backend,
      worker: { pollInterval: 20, leaseDuration: 2_000, gracefulShutdownTimeout: "5s" },
    });
    this.#tick = task(`failure.${name}`, { retries: 0 }, (n: number): null => {
      this.#runs.get(n)?.();
      return null;
    });
    this.#worker = new Worker(this.service);
  }

  async open(): Promise<void> {
    await this.service.open();
    await this.#worker.start();
  }

  async close(): Promise<void> {
    await this.#worker.stop();
    await this.service.close();
  }

  /** Enqueues, again under the same key while the store is in trouble, and waits until the worker has run it. */
  async works(): Promise<void> {
    this.#next += 1;
    const n = this.#next;
    const ran = new Promise<void>((resolve) => this.#runs.set(n, resolve));
    await this.enqueued(n);
    await ran;
  }

  async enqueued(n: number): Promise<void> {
    for (;;) {
      try {
        await this.service.enqueue(this.#tick, n, { key: `n${n}` });
        return;
      } catch (error) {
        assert.ok(error instanceof SiderealError && error.retryable, String(error));
      }
    }
  }
}

/** Time that something took, ms. */
async function took(action: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await action();
  return performance.now() - began;
}

/** A small disk, in memory; undefined where none may be mounted. */
function smallDisk(): { readonly folder: string; remove(): void } | undefined {
  const folder = mkdtempSync(join(tmpdir(), "sidereal-disk-"));
  const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", "size=200m", "tmpfs", folder], { stdio: "ignore" });
  if (status !== 0) {
    rmdirSync(folder);
    return undefined;
  }
  return {
    folder,
    remove: () => {
      spawnSync("umount", ["-l", folder], { stdio: "ignore" });
      rmdirSync(folder);
    },
  };
}

/** Leaves no room on the disk of a file. @returns gives it back */
function filled(file: string): () => void {
  const descriptor = openSync(file, "w");
  const block = Buffer.alloc(1 << 16);
  try {
    for (;;) writeSync(descriptor, block);
  } catch (error) {
    assert.equal((error as { code?: unknown }).code, "ENOSPC");
  }
  closeSync(descriptor);
  return () => rmSync(file);
}

/** The suite of one kind of store. */
export function exerciseFailures(subject: Subject, skip: string | false): void {
  describe(`${subject.kind}: failures`, { skip }, () => {
    let server: OwnServer;
    let relay: Relay;
    let bench: Bench;
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);

    before(async () => {
      process.on("unhandledRejection", note);
      server = await ownServer(subject.kind);
      relay = new Relay(server.port);
      bench = new Bench(subject.connect(server.address(await relay.listen())), subject.kind);
      await bench.open();
      await bench.works();
    });
    after(async () => {
      await bench.close();
      await relay.close();
      await server.dispose();
      process.removeListener("unhandledRejection", note);
      assert.deepEqual(unhandled, []);
    });

    it("a server that crashes and comes back: what was acknowledged is there, and the worker goes on", async () => {
      await bench.service.queues.pause("default");
      await bench.enqueued(1_000);
      await server.crash();
      await server.start();
      const late = await took(() => bench.service.queues.resume("default").then(() => bench.works()));
      assert.ok(late < RETURN, `${late} ms`);
      const { completed, pending, running } = await bench.service.counts();
      assert.ok(completed + pending + running >= 3, "the task that was enqueued before the crash is there");
    });

    it("every session ended by the server: the worker goes on", async () => {
      await subject.endSessions(server.address());
      assert.ok((await took(() => bench.works())) < RETURN);
    });

    it("every connection reset: the worker goes on", async () => {
      relay.reset();
      assert.ok((await took(() => bench.works())) < RETURN);
    });

    it("half-open connections: given up together, and the worker goes on over new ones", async () => {
      // Several calls at once leave several connections behind, idle and soon dead.
      await Promise.all(Array.from({ length: 8 }, () => bench.service.counts()));
      assert.ok(relay.connections >= 3);
      relay.swallow();
      relay.mend();
      const late = await took(() => bench.works());
      assert.ok(late < RETURN, `${late} ms`);
      assert.ok(relay.connections > 0);
    });

    it("a locked table: calls wait, none is lost, and the worker goes on", async () => {
      let unlock: () => void = () => {};
      const over = new Promise<void>((resolve) => {
        unlock = resolve;
      });
      const locked = subject.lock(server.address(), over);
      const working = bench.works();
      while ((await subject.cancelStatements(server.address())) === 0);
      unlock();
      await locked;
      assert.ok((await took(() => working)) < RETURN);
    });

    it("a full disk: enqueuing fails with a reason, and once there is room nothing that was acknowledged is missing", async (t) => {
      const disk = smallDisk();
      if (disk === undefined) {
        t.skip("no disk of its own: mounting one is not permitted");
        return;
      }
      t.after(() => disk.remove());
      const folder = join(disk.folder, "server");
      mkdirSync(folder);
      const small = await ownServer(subject.kind, folder);
      const backend = subject.connect(small.address());
      await backend.open();
      const empty = filled(join(disk.folder, "ballast"));
      const stored = new Set<string>();
      let refusal: unknown;
      for (let n = 0; refusal === undefined; n += 1) {
        const draft = draftOf(idOf(n), { input: JSON.stringify("x".repeat(500_000)) });
        try {
          await backend.insert([draft]);
          stored.add(draft.record.id);
        } catch (error) {
          refusal = error;
        }
      }
      assert.ok(refusal instanceof SiderealError && refusal.retryable, String(refusal));
      assert.match(refusal.code, /^STORE_(?:FULL|UNAVAILABLE|TIMEOUT|BUSY)$/);
      empty();
      // A server that could not write its log has ended itself.
      await small.crash();
      await small.start();
      await backend.insert([draftOf(idOf(1_000_000))]);
      const { records } = await backend.page({ order: "oldest", after: null, limit: 1_000 });
      const found = new Set(records.map(({ id }) => id));
      assert.deepEqual(
        [...stored].filter((id) => !found.has(id)),
        [],
      );
      await backend.close();
      await small.dispose();
    });

    it("a pool that its user's own code has taken: calls fail in time, and work once it is given back", async () => {
      const { backend, take, end } = subject.lend(server.address());
      await backend.open();
      const taken = await Promise.all([take(), take()]);
      const began = performance.now();
      await assert.rejects(backend.now(), { code: /^STORE_(?:TIMEOUT|UNAVAILABLE)$/ });
      assert.ok(performance.now() - began < RETURN);
      for (const connection of taken) connection.release();
      assert.ok((await backend.now()) > 0);
      await backend.close();
      await end();
    });
  });
}
