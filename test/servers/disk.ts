/** A server whose disk is full, and has room again. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { SiderealError } from "../../src/index.ts";
import { draftOf, idOf } from "../../src/testing/backend-contract/stage.ts";
import { ownServer } from "./own-server.ts";
import { Bench, returns, type Subject } from "./subject.ts";

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

/** The test of one kind of store. */
export function exerciseFullDisk(subject: Subject, skip: string | false): void {
  it(`${subject.kind}: enqueuing on a full disk fails with a reason; with room again nothing that was acknowledged is missing, and the worker goes on`, {
    skip,
  }, async (t) => {
    const disk = smallDisk();
    if (disk === undefined) {
      t.skip("no disk of its own: mounting one is not permitted");
      return;
    }
    t.after(() => disk.remove());
    const folder = join(disk.folder, "server");
    mkdirSync(folder);
    const server = await ownServer(subject.kind, folder);
    t.after(() => server.dispose());
    const backend = subject.connect(server.address());
    const bench = new Bench(subject.connect(server.address()), "disk");
    await bench.open();
    await bench.works();
    await backend.open();
    const empty = filled(join(disk.folder, "ballast"));
    const stored = new Set<string>();
    let refusal: unknown;
    for (let n = 0; refusal === undefined; n += 1) {
      const draft = draftOf(idOf(n), { task: "nobody.runs", input: JSON.stringify("x".repeat(500_000)) });
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
    // A server that could not write its log has ended itself; an operator starts it again.
    await server.crash();
    await server.start();
    await returns(bench);
    bench.lostNothing();
    await bench.close();
    assert.equal((await backend.insert([draftOf(idOf(1_000_000))]))[0]?.created, true);
    const { records } = await backend.page({ order: "oldest", after: null, limit: 1_000 });
    const found = new Set(records.map(({ id }) => id));
    assert.deepEqual(
      [...stored].filter((id) => !found.has(id)),
      [],
    );
    await backend.close();
  });
}
