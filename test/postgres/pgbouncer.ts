/** A PgBouncer of the tests' own in front of the server, which gives each transaction whatever session is free. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ADDRESS, skip as noServer } from "./bench.ts";

/** System folders are often on the path of administrators only. */
const PROGRAM: string | undefined = ["pgbouncer", "/usr/sbin/pgbouncer", "/usr/local/sbin/pgbouncer"].find(
  (program) => spawnSync(program, ["--version"]).status === 0 || (program.startsWith("/") && existsSync(program)),
);

/** Why tests with it are left out; false: it can be started. */
export const skip: string | false = noServer || (PROGRAM === undefined && "no server: PgBouncer");

export interface Pooler {
  /** The tests' database, seen through it. */
  readonly address: string;
  stop(): Promise<void>;
}

/** Starts one. @param settings - Lines of its configuration besides those it needs. */
export async function pooler(settings: readonly string[] = []): Promise<Pooler> {
  const server = new URL(ADDRESS);
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "sidereal-pgbouncer-"));
  const file = join(folder, "pgbouncer.ini");
  const password = server.password === "" ? "" : ` password=${decodeURIComponent(server.password)}`;
  const target = `host=${server.hostname} port=${server.port || "5432"} dbname=${server.pathname.slice(1)} user=${server.username || "postgres"}${password}`;
  const lines = [
    ...["[databases]", `pooled = ${target}`, "[pgbouncer]", "listen_addr = 127.0.0.1", `listen_port = ${port}`],
    ...["unix_socket_dir =", "auth_type = any", "pool_mode = transaction", "default_pool_size = 3", ...settings, ""],
  ];
  writeFileSync(file, lines.join("\n"));
  // It refuses to run as root, and changes to this user once it has read its file.
  const as = process.getuid?.() === 0 ? ["-u", "nobody"] : [];
  const child = spawn(PROGRAM as string, [...as, file], { stdio: ["ignore", "ignore", "pipe"] });
  const isUp = await listening(child);
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }
    rmSync(folder, { recursive: true, force: true });
  };
  if (!isUp) {
    await stop();
    throw new Error("PgBouncer did not start");
  }
  return { address: `postgres://anybody@127.0.0.1:${port}/pooled`, stop };
}

/** Resolves with true once it says that it listens, with false if it ends before. */
async function listening(child: ChildProcess): Promise<boolean> {
  let said = "";
  for await (const piece of child.stderr as NonNullable<ChildProcess["stderr"]>) {
    said += String(piece);
    if (said.includes("process up")) {
      child.stderr?.resume();
      return true;
    }
  }
  return false;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}
