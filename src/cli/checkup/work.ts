/** Whether somebody does the work: live workers, paused queues, queues that wait for nobody. */
import { type Finding, formatAge, type QueueInfo, type WorkerInfo } from "../../index.ts";
import { safe } from "../console.ts";

/** How long a ready task may wait before the doctor wonders. */
const PATIENCE = 60_000;

export function workFindings(queues: readonly QueueInfo[], workers: readonly WorkerInfo[]): readonly Finding[] {
  return [crew(workers, queues), ...queues.map(queueFinding).filter((finding) => finding !== null)];
}

function crew(workers: readonly WorkerInfo[], queues: readonly QueueInfo[]): Finding {
  const alive = workers.filter((worker) => worker.alive);
  const silent = workers.length - alive.length;
  const advice = "Start one: `sidereal run`, or a web application with inAppWorker.";
  if (alive.length === 0) {
    const waiting = queues.reduce((sum, { counts }) => sum + counts.pending, 0);
    const message = `no worker is alive${waiting > 0 ? `, and ${waiting} tasks are ready` : ""}`;
    return { check: "workers", level: waiting > 0 ? "problem" : "warning", message, advice };
  }
  const lame = alive.filter((worker) => worker.readable && !worker.ready);
  if (lame.length > 0 || silent > 0) {
    const message = `${alive.length} workers are alive; ${silent} fell silent within the last minute, ${lame.length} cannot claim`;
    return { check: "workers", level: "warning", message, advice: "Look at them: `sidereal workers`." };
  }
  return { check: "workers", level: "ok", message: `${alive.length} alive`, advice: null };
}

function queueFinding({ name, counts, paused, oldestAge, workers }: QueueInfo): Finding | null {
  const check = "queue";
  const queue = safe(name);
  if (paused !== null) {
    const why = paused.reason === null ? "" : ` (${safe(paused.reason)})`;
    const message = `${queue} is paused${why}, with ${counts.pending} tasks ready`;
    return { check, level: "warning", message, advice: `When that is over: \`sidereal queues resume ${queue}\`.` };
  }
  if (counts.pending === 0 || oldestAge === null) return null;
  if (workers === 0) {
    const message = `${queue}: ${counts.pending} tasks are ready and no live worker claims from it`;
    return { check, level: "problem", message, advice: "Start a worker for it, or add it to worker.queues." };
  }
  if (oldestAge < PATIENCE) return null;
  const message = `${queue}: the oldest of ${counts.pending} ready tasks has waited for ${formatAge(oldestAge)}`;
  return { check, level: "warning", message, advice: "Ask `sidereal explain <id>` of one of them." };
}
