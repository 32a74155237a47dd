// app.ts
import Fastify from "fastify";
import { task } from "sidereal";
import { queuePlugin } from "sidereal/fastify";
import { sqlite } from "sidereal/sqlite";

export const syncAccount = task(
  "accounts.sync",
  { queue: "accounts", timeout: "30s", retries: 3 },
  async (input: { accountId: string }, ctx) => {
    await ctx.progress(1, 2, "fetching");
    return { accountId: input.accountId, status: "synced" };
  },
);

export const app = Fastify();
await app.register(queuePlugin, { queueBackend: sqlite("queue.db") });

app.post<{ Params: { id: string } }>("/accounts/:id/sync", async (request) => {
  const handle = await app.queueService.enqueue(syncAccount, { accountId: request.params.id });
  return { taskId: handle.id, status: handle.status };
});
