/** The web application: asks for work over HTTP and tells how it goes. */
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import Fastify from "fastify";
import type { TaskHandle } from "sidereal";
import { queuePlugin } from "sidereal/fastify";
import config from "./queues.ts";
import { archiveDocument, indexDocument, publishIndex, watchFolder } from "./tasks.ts";

type Indexed = Awaited<
  ReturnType<TaskHandle<{ path: string; headings: string[]; milliseconds: number; damaged: boolean }>["result"]>
>;

export const app = Fastify();
await app.register(queuePlugin, config);

let indexed: TaskHandle<Indexed>[] = [];
let published: TaskHandle<{ attempt: number }> | null = null;
let watching: TaskHandle | null = null;

app.post<{ Body: { roots: string[] } }>("/index", async (request) => {
  const paths = (await Promise.all(request.body.roots.map(markdownBelow))).flat();
  watching = await app.queueService.enqueue(watchFolder, { folder: request.body.roots[0] ?? "." }, { priority: 5 });
  published = await app.queueService.enqueue(publishIndex, { name: "documents" });
  indexed = await app.queueService.enqueueMany(
    indexDocument,
    paths.map((path) => ({ path })),
  );
  return { files: paths.length };
});

app.get("/counts", () => app.queueService.counts());

app.post("/cancel", async () => ({ outcome: await watching?.cancel({ reason: "the demo has seen enough" }) }));

app.get("/report", async () => {
  const results = await Promise.allSettled(indexed.map((handle) => handle.result({ timeout: "30s" })));
  const documents = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const uses = new Map<string, number>();
  for (const { headings } of documents) {
    for (const heading of new Set(headings)) uses.set(heading, (uses.get(heading) ?? 0) + 1);
  }
  const slowest = documents.reduce<Indexed | null>(
    (a, b) => (a === null || b.milliseconds > a.milliseconds ? b : a),
    null,
  );
  await watching?.result({ timeout: "10s" }).catch(() => {});
  return {
    indexed: documents.length,
    failed: results.length - documents.length,
    damaged: documents.filter((document) => document.damaged).map((document) => document.path),
    headings: [...uses].sort((a, b) => b[1] - a[1]).slice(0, 8),
    slowest: slowest && { path: slowest.path, milliseconds: slowest.milliseconds },
    publishedAtAttempt: (await published?.result())?.attempt ?? null,
    watching: { status: watching?.status ?? null, reason: watching?.record?.reason ?? null },
  };
});

app.post<{ Body: { roots: string[]; into: string } }>("/archive", async (request) => {
  const { roots, into } = request.body;
  const paths = (await Promise.all(roots.map(markdownBelow))).flat();
  const inputs = paths.map((path, at) => ({ path, into, name: `${at}-${basename(path)}.br` }));
  await app.queueService.enqueueMany(archiveDocument, inputs, (input) => ({ key: `archive:${input.name}` }));
  return { files: paths.length };
});

async function markdownBelow(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && /\.(md|markdown|mdx)$/iu.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
