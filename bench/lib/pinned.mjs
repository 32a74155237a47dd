// W9: somebody's transaction stays open for minutes, as a forgotten console or a long report does. What the worker leaves
// behind meanwhile cannot be cleaned away, and every claim has to pass it.
import { now, sleep } from "./paths.mjs";

/** What may wait to be run at most: the load is what the worker manages, without a backlog that grows. */
const BACKLOG = 1_000;
const LANES = 64;

/**
 * Claims under load, before, while and after a snapshot is pinned.
 * @param {{ seconds: number }} options how long it is pinned; before and after are a tenth of it, at least 10 s
 */
export async function pinned(adapter, { seconds, ...options }) {
  const claims = [];
  const queue = await adapter.open({ workload: "W9", ...options, onClaim: (took) => claims.push({ at: now(), took }) });
  let [sent, ran, isOver] = [0, 0, false];
  await queue.work(() => {
    ran += 1;
  });
  const lane = async () => {
    while (!isOver) {
      if (sent - ran >= BACKLOG) await sleep(1);
      else await queue.enqueue(sent++, 0);
    }
  };
  const lanes = Promise.all(Array.from({ length: LANES }, lane));
  const beside = Math.max(10, seconds / 10) * 1_000;
  await sleep(2_000);
  const phase = async (ms) => {
    const [from, before] = [now(), ran];
    await sleep(ms);
    return { from, to: now(), rate: (ran - before) / (ms / 1_000) };
  };
  const phases = { before: await phase(beside) };
  const release = await queue.pin();
  phases["pinned, first tenth"] = await phase(beside);
  await sleep(Math.max(0, seconds * 1_000 - 2 * beside));
  phases["pinned, last tenth"] = await phase(beside);
  const kept = await release();
  phases.after = await phase(beside);
  isOver = true;
  await lanes;
  const figures = {};
  for (const [name, { from, to, rate }] of Object.entries(phases)) {
    const took = claims.filter(({ at }) => at > from && at <= to).map((claim) => claim.took);
    figures[`claim p50, ${name}`] = [share(took, 0.5), "ms"];
    figures[`claim p99, ${name}`] = [share(took, 0.99), "ms"];
    figures[`tasks run, ${name}`] = [rate, "tasks/s"];
  }
  const all = claims.filter(
    ({ at }) => at > phases["pinned, first tenth"].from && at <= phases["pinned, last tenth"].to,
  );
  figures["claim, the longest while pinned"] = [Math.max(...all.map(({ took }) => took)), "ms"];
  figures["kept because of it"] = kept;
  return { figures };
}

function share(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;
}
