/** A caller's transaction that is prepared for a two-phase commit, on a server of the test's own that allows it. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import pg from "pg";
import { postgres } from "../../src/backends/postgres/index.ts";
import { QueueService, task } from "../../src/index.ts";
import { missing, type OwnServer, ownServer } from "../servers/own-server.ts";

const ship = task("orders.ship", async (input: { order: number }) => input.order);
const skip = missing("postgres");

describe("a transaction that is prepared", { skip }, () => {
  let server: OwnServer;
  let client: pg.Client;
  let service: QueueService<unknown>;

  before(async () => {
    server = await ownServer("postgres");
    const setting = new pg.Client({ connectionString: server.address() });
    await setting.connect();
    await setting.query("alter system set max_prepared_transactions = 5");
    await setting.end();
    await server.crash();
    await server.start();
    client = new pg.Client({ connectionString: server.address() });
    await client.connect();
    service = new QueueService({ queueBackend: postgres(server.address()) }) as QueueService<unknown>;
    await service.open();
  });

  after(async () => {
    await service?.close();
    await client?.end();
    await server?.dispose();
  });

  it("holds what was enqueued with tx: it exists once the second phase commits", async () => {
    await client.query("begin");
    const { id } = await service.enqueue(ship, { order: 1 }, { tx: client });
    await client.query("prepare transaction 'shipping'");
    assert.equal(await service.get(id), null);
    await client.query("commit prepared 'shipping'");
    assert.equal((await service.get(id))?.state, "pending");
  });

  it("cannot be one that called the SQL function, which notifies", async () => {
    await client.query("begin");
    await client.query("select sidereal.enqueue('orders.ship', '{\"order\": 2}')");
    await assert.rejects(client.query("prepare transaction 'never'"), {
      code: "0A000",
      message: "cannot PREPARE a transaction that has executed LISTEN, UNLISTEN, or NOTIFY",
    });
    await client.query("rollback");
    assert.equal((await service.counts()).total, 1);
  });
});
