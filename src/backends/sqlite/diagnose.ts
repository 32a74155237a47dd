/** What the store stands on: the disk under the file, its log, its permissions, its integrity. */
import { statfsSync, statSync } from "node:fs";
import type { Finding } from "../../contracts/queue-backend.ts";
import { prepare, type SqliteConnection, type SqlValue } from "./driver.ts";
import { LOG_BOUND } from "./log.ts";
import type { Settings } from "./options.ts";

/** What was measured. */
export interface StoreFacts {
  /** The file as the user named it. */
  readonly path: string;
  readonly version: string;
  readonly journal: string;
  readonly synchronous: string;
  /** Bytes. */
  readonly size: number;
  readonly log: number;
  /** Bytes free for us on the disk; null: the system does not tell. */
  readonly free: number | null;
  /** Magic number of the file system; null: the system does not tell. */
  readonly fileSystem: number | null;
  readonly writableByAll: boolean;
  /** The first trouble that a quick check found; `ok` if none, null if the file is too large to be checked in passing. */
  readonly integrity: string | null;
}

const MIB = 1024 * 1024;
/** A check reads the whole file. */
const CHECKED_SIZE = 512 * MIB;

/** By the magic numbers of Linux; other systems give other numbers, which mean nothing here. */
const REMOTE: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB"],
  [0x01021997, "9P"],
]);
const FUSE = 0x65735546;

/** Measures; blocks for as long as it takes to read the file. */
export function facts(connection: SqliteConnection, { path, file }: Settings): StoreFacts {
  const one = (sql: string): SqlValue => prepare(connection, sql).get()?.[0] ?? null;
  const stat = statSync(file);
  const disk = process.platform === "linux" || process.platform === "darwin" ? statfsSync(file) : null;
  return {
    path,
    version: String(one("select sqlite_version()")),
    journal: String(one("pragma journal_mode")),
    synchronous: ["off", "normal", "full", "extra"][Number(one("pragma synchronous"))] ?? "unknown",
    size: stat.size,
    log: statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0,
    free: disk === null ? null : disk.bavail * disk.bsize,
    fileSystem: disk === null || process.platform !== "linux" ? null : disk.type,
    writableByAll: process.platform !== "win32" && (stat.mode & 0o002) !== 0,
    integrity: stat.size > CHECKED_SIZE ? null : String(one("pragma quick_check(1)")),
  };
}

/** What the measurements mean. */
export function findings(store: StoreFacts): readonly Finding[] {
  return [
    ok(
      "sqlite",
      `SQLite ${store.version}, journal ${store.journal}, synchronous ${store.synchronous}, ${mib(store.size)}`,
    ),
    fileSystem(store),
    space(store),
    log(store),
    permissions(store),
    integrity(store),
  ].filter((finding) => finding !== null);
}

function fileSystem({ path, fileSystem: type }: StoreFacts): Finding | null {
  if (type === null) return null;
  // Some runtimes give the number with its sign.
  const name = REMOTE.get(type >>> 0);
  if (name !== undefined) {
    const message = `${path} lies on a network file system (${name}), where a write-ahead log does not keep processes apart`;
    return { check: "file system", level: "problem", message, advice: "Move the file to a local disk." };
  }
  if (type >>> 0 !== FUSE) return ok("file system", `${path} does not lie on a network file system`);
  const message = `${path} lies on a FUSE file system, which may be a remote one`;
  return { check: "file system", level: "warning", message, advice: "Make sure that it is local, or move the file." };
}

function space({ free }: StoreFacts): Finding | null {
  if (free === null) return null;
  if (free >= 1024 * MIB) return ok("disk space", `${mib(free)} are free`);
  const level = free < 100 * MIB ? "problem" : "warning";
  const advice = "Free space, or shorten worker.retention: a full disk refuses every enqueue.";
  return { check: "disk space", level, message: `only ${mib(free)} are free on the store's disk`, advice };
}

function log({ log: size }: StoreFacts): Finding {
  if (size <= 2 * LOG_BOUND) return ok("write-ahead log", `the log has ${mib(size)}`);
  const message = `the write-ahead log has grown to ${mib(size)}: a reader or a long transaction keeps it from starting over`;
  const advice = "Find the process that holds a transaction on the file, a backup or a shell for example, and end it.";
  return { check: "write-ahead log", level: "warning", message, advice };
}

function permissions({ path, writableByAll }: StoreFacts): Finding {
  if (!writableByAll) return ok("permissions", `${path} is not writable by every user`);
  const message = `every user of this host may write ${path}`;
  return { check: "permissions", level: "warning", message, advice: `Take the right away: chmod o-w ${path}` };
}

function integrity({ path, integrity: found }: StoreFacts): Finding {
  if (found === "ok") return ok("integrity", "a quick check found no damage");
  if (found === null) return ok("integrity", `${path} is too large to be checked in passing: run pragma quick_check`);
  const message = `${path} is damaged: ${found.split("\n", 1)[0]?.slice(0, 200)}`;
  return { check: "integrity", level: "problem", message, advice: "Stop the workers and restore it from a backup." };
}

const ok = (check: string, message: string): Finding => ({ check, level: "ok", message, advice: null });

function mib(bytes: number): string {
  if (bytes >= 1024 * MIB) return `${(bytes / (1024 * MIB)).toFixed(1)} GiB`;
  return bytes >= MIB ? `${Math.round(bytes / MIB)} MiB` : `${Math.ceil(bytes / 1024)} KiB`;
}
