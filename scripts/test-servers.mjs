// The database servers of a test run: those at their usual ports, else own ones started from installed programs.
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./process.mjs";

/** The variable that names the server to the tests, its usual port, and what of an own server's address it holds. */
const SERVERS = /** @type {const} */ ([
  { kind: "postgres", name: "SIDEREAL_TEST_POSTGRES", port: 5432 },
  { kind: "mysql", name: "SIDEREAL_TEST_MYSQL", port: 3306 },
]);

/** @param {number} port */
async function listens(port) {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.setTimeout(2_000, () => socket.destroy(new Error("it does not answer")));
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/**
 * Sees to it that the tests find a server of each kind, where there can be one; the compiled tests must be there.
 * @returns {Promise<() => Promise<void>>} ends what was started
 */
export async function provideServers() {
  const { missing, ownServer } = await import(pathToFileURL(join(root, "build/test/servers/own-server.js")).href);
  /** @type {{ dispose(): Promise<void> }[]} */
  const started = [];
  for (const { kind, name, port } of SERVERS) {
    if (process.env[name] !== undefined || (await listens(port))) continue;
    const why = missing(kind);
    if (why !== false) {
      process.stdout.write(`${kind}: nothing listens on port ${port}, and ${why}; its tests will be skipped\n`);
      continue;
    }
    const server = await ownServer(kind);
    started.push(server);
    const address = new URL(server.address());
    if (kind === "mysql") address.pathname = "";
    process.env[name] = address.href.replace(/\/$/u, "");
    process.stdout.write(`${kind}: nothing listens on port ${port}; started a server on port ${server.port}\n`);
  }
  return async () => {
    for (const server of started) await server.dispose();
  };
}
