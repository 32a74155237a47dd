/** Database servers of the tests' own: started from the installed programs in a folder of their own, to be hurt freely. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A server that listens on 127.0.0.1 alone. */
export interface OwnServer {
  readonly port: number;
  /** Where its files are. */
  readonly data: string;
  /** Address of an empty database in it, through this port or another one that leads to it. */
  address(port?: number): string;
  /** Ends it at once, as a crash would: nothing is flushed that was not. */
  crash(): Promise<void>;
  /** Starts it again; resolves when it takes connections. */
  start(): Promise<void>;
  /** Ends it and removes its folder. */
  dispose(): Promise<void>;
}

/** How a kind of server is made. */
interface Kind {
  /** Its user in the system, for when the tests run as root, which servers refuse to be. */
  readonly user: string;
  readonly crashBy: NodeJS.Signals;
  /** What it says once it takes connections. */
  readonly ready: RegExp;
  install(folder: string): readonly [command: string, ...args: string[]];
  serve(folder: string, port: number): readonly [command: string, ...args: string[]];
  address(port: number): string;
}

const postgres: Kind = {
  user: "postgres",
  crashBy: "SIGQUIT",
  ready: /database system is ready to accept connections/,
  install: (folder) => [
    ...([program("initdb"), "-D", join(folder, "data"), "-U", "postgres"] as const),
    ...["-A", "trust", "-E", "UTF8", "--locale=C"],
  ],
  serve: (folder, port) => [
    ...([program("postgres"), "-D", join(folder, "data"), "-p", String(port), "-k", folder] as const),
    ...["-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=16MB", "-c", "max_connections=100"],
    ...["-c", "max_wal_size=64MB", "-c", "min_wal_size=32MB"],
  ],
  address: (port) => `postgres://postgres@127.0.0.1:${port}/postgres`,
};

const mariadb: Kind = {
  user: "mysql",
  crashBy: "SIGKILL",
  ready: /ready for connections/,
  install: (folder) => [
    ...([program("mariadb-install-db"), "--no-defaults", `--datadir=${join(folder, "data")}`] as const),
    ...["--auth-root-authentication-method=normal", ...SMALL],
  ],
  serve: (folder, port) => [
    ...([program("mariadbd"), "--no-defaults", `--datadir=${join(folder, "data")}`, `--port=${port}`] as const),
    ...[
      `--socket=${join(folder, "socket")}`,
      `--pid-file=${join(folder, "pid")}`,
      "--bind-address=127.0.0.1",
      ...SMALL,
    ],
  ],
  address: (port) => `mysql://root@127.0.0.1:${port}/test`,
};

const SMALL = ["--innodb-log-file-size=16M", "--innodb-buffer-pool-size=32M", "--performance-schema=OFF"];

const kinds = { postgres, mysql: mariadb } as const;

const PROGRAMS = { postgres: ["initdb", "postgres"], mysql: ["mariadb-install-db", "mariadbd"] } as const;

/** Why there can be no server of this kind here; false: there can. */
export function missing(kind: keyof typeof kinds): string | false {
  try {
    for (const name of PROGRAMS[kind]) program(name);
    return false;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Makes a server and starts it. @param folder - An empty one for its data; else a temporary one is made, and removed. */
export async function ownServer(kind: keyof typeof kinds, folder = temporary(kind)): Promise<OwnServer> {
  const { user, crashBy, ready, install, serve, address } = kinds[kind];
  const as = process.getuid?.() === 0 ? identity(user) : undefined;
  const own = (path: string): void => {
    if (as !== undefined) chownSync(path, as.uid, as.gid);
  };
  own(folder);
  chmodSync(folder, 0o700);
  const data = join(folder, "data");
  mkdirSync(data, { mode: 0o700 });
  own(data);
  const [installer, ...words] = install(folder);
  await output(spawn(installer, words, { ...as, cwd: folder, stdio: ["ignore", "pipe", "pipe"] }));
  const port = await freePort();
  let child: ChildProcess | undefined;
  const end = (signal: NodeJS.Signals) => async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    child.kill(signal);
    await exit;
  };
  const orphaned = (): void => void child?.kill(crashBy);
  process.once("exit", orphaned);
  const start = async (): Promise<void> => {
    const [command, ...args] = serve(folder, port);
    child = spawn(command, args, { ...as, cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
    await said(child, ready);
  };
  await start();
  if (kind === "mysql") await createTest(port);
  return {
    port,
    data,
    address: (through = port) => address(through),
    crash: end(crashBy),
    start,
    dispose: async () => {
      await end(crashBy)();
      process.removeListener("exit", orphaned);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function createTest(port: number): Promise<void> {
  const { createConnection } = await import("mysql2/promise");
  const connection = await createConnection({ host: "127.0.0.1", port, user: "root" });
  await connection.query("create database if not exists test");
  await connection.end();
}

function temporary(kind: string): string {
  return mkdtempSync(join(tmpdir(), `sidereal-${kind}-`));
}

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** Where a program is: on the path, or where distributions put those of servers. */
function program(name: string): string {
  const versions = "/usr/lib/postgresql";
  const folders = [
    ...(process.env["PATH"] ?? "").split(":"),
    ...["/usr/sbin", "/usr/local/sbin"],
    ...(existsSync(versions) ? readdirSync(versions).map((version) => join(versions, version, "bin")) : []),
  ];
  const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  if (found === undefined) throw new Error(`no server program: ${name}`);
  return found;
}

function identity(user: string): { readonly uid: number; readonly gid: number } {
  const id = (flag: string): number => Number(execFileSync("id", [flag, user], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

/** Resolves when the process has ended well. */
async function output(child: ChildProcess): Promise<void> {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (part) => (text += String(part)));
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${child.spawnfile} ended with ${code}: ${text}`);
}

/** Resolves when the process has said so. */
async function said(child: ChildProcess, words: RegExp): Promise<void> {
  let text = "";
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on("data", (part) => {
      if (text.length > 20_000) text = text.slice(-1_000);
      text += String(part);
      if (words.test(text)) resolve();
    });
    child.once("exit", (code) => reject(new Error(`${child.spawnfile} ended with ${code}: ${text}`)));
    child.once("error", reject);
  });
}
