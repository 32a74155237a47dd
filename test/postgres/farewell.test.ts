/** A server's farewell right behind a connection's readiness: the failure of the call, and never of the process. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import pg from "pg";
import { postgres } from "../../src/backends/postgres/index.ts";

/** A message of the server's: its letter, its length, its content. */
function message(letter: string, content: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(content.length + 4);
  return Buffer.concat([Buffer.from(letter), length, content]);
}

const FAREWELL = ["SFATAL", "VFATAL", "C57P01", "Mterminating connection due to administrator command", ""];

/** Welcomes whoever connects and says farewell, in one piece of data, as happens to whoever reads late. */
function welcome(socket: Socket): void {
  socket.on("error", () => {});
  socket.once("data", () => {
    const authenticated = message("R", Buffer.alloc(4));
    const ready = message("Z", Buffer.from("I"));
    const farewell = message("E", Buffer.from(`${FAREWELL.join("\0")}\0`));
    socket.end(Buffer.concat([authenticated, ready, farewell]));
  });
}

describe("postgres: a session that is ended as soon as it is ready", () => {
  let server: Server;
  let address: string;
  const uncaught: unknown[] = [];
  const note = (error: unknown): void => void uncaught.push(error);

  before(async () => {
    process.on("uncaughtException", note);
    server = createServer(welcome).listen(0, "127.0.0.1");
    await once(server, "listening");
    address = `postgres://app@127.0.0.1:${(server.address() as { port: number }).port}/app`;
  });
  after(async () => {
    server.close();
    await once(server, "close");
    process.removeListener("uncaughtException", note);
  });

  it("refuses to open, on connections of our own", async () => {
    await assert.rejects(postgres(address).open(), { code: "STORE_UNAVAILABLE" });
    assert.deepEqual(uncaught, []);
  });

  it("refuses to open, on a pool that was lent with no more than pg asks for", async () => {
    const pool = new pg.Pool({ connectionString: address });
    pool.on("error", () => {});
    await assert.rejects(postgres({ pool }).open(), { code: "STORE_UNAVAILABLE" });
    await pool.end();
    assert.deepEqual(uncaught, []);
  });
});
