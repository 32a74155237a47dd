// app.ts
import { setTimeout as pause } from "node:timers/promises";
import Fastify from "fastify";
import { task } from "sidereal";
import { queuePlugin } from "sidereal/fastify";
import { storeAt } from "./store.ts";

export const syncAccount = task(
  "accounts.sync",
  { queue: "accounts", timeout: "30s", retries: 3 },
  async (input: { accountId: string }, ctx) => {
    await ctx.progress(1, 2, "fetching");
    await pause(100, undefined, { signal: ctx.signal }); // stands for the answer of the accounts' service
    return { accountId: input.accountId, status: "synced", by: process.pid };
  },
);

const address = process.env["DATABASE_URL"];

export const app = Fastify();
await app.register(queuePlugin, {
  queueBackend: storeAt(address),
  inAppWorker: !address, // on a server, `sidereal run` works
  healthRoute: "/healthz",
});

app.post<{ Params: { id: string } }>("/accounts/:id/sync", async (request) => {
  const handle = await app.queueService.enqueue(syncAccount, { accountId: request.params.id });
  return { taskId: handle.id, status: handle.status };
});

app.get<{ Params: { id: string } }>("/tasks/:id", async (request, reply) => {
  const handle = await app.queueService.handle(request.params.id);
  if (handle === null) return reply.code(404).send({ error: "there is no such task" });
  const result = handle.status === "completed" ? await handle.result({ timeout: 0 }) : null;
  return { taskId: handle.id, status: handle.status, attempt: handle.record?.attempt, result };
});

app.get("/counts", () => app.queueService.counts());
