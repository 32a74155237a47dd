/** One of several processes on one file: enqueues its share while it claims and finishes whatever there is. */
import { sqlite } from "../../../src/backends/sqlite/index.ts";
import { completed } from "../../../src/model/lifecycle.ts";
import { drafts, request } from "../bench.ts";

// A subscription keeps no process alive; the channel to the parent does.
process.on("message", () => {});
const [file = "", first = "0", share = "0", total = "0"] = process.argv.slice(2);
const store = sqlite(file);
await store.open();
let wake = (): void => {};
store.signals?.subscribe(() => wake());

const finished: string[] = [];
const producing = produce(Number(first), Number(share));
for (;;) {
  const hint = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const records = await store.claim(request(7));
  const now = await store.now();
  const applied = await store.apply(records.map((from) => ({ from, to: completed(from, { now, result: null }) })));
  finished.push(...records.filter((_, at) => applied[at]).map(({ id }) => id));
  if (records.length > 0) continue;
  const [tally] = await store.tally();
  if (tally?.completed === Number(total)) break;
  await hint;
}
await producing;
await store.close();
process.send?.({ finished }, () => process.disconnect?.());

async function produce(from: number, count: number): Promise<void> {
  for (let at = 0; at < count; at += 5) await store.insert(drafts(5, from + at));
}
