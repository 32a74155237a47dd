/** `sidereal workers`: who works on this store, how long ago each was heard of, and what runs. */
import { formatAge, type WorkerInfo } from "../../index.ts";
import { safe } from "../console.ts";
import { onExisting } from "../existing.ts";
import { EXIT } from "../exits.ts";
import type { Source } from "../load.ts";
import { isoOf, tableOf } from "../values.ts";

export interface WorkersFlags {
  readonly json?: boolean;
}

/** Running tasks that the table shows of one worker. */
const SHOWN = 3;

/** Prints the workers. */
export async function workers(flags: WorkersFlags, source: Source, out: (text: string) => void): Promise<number> {
  return onExisting(source, async ({ service, now }) => {
    const list = await service.workers();
    out(flags.json === true ? `${JSON.stringify(list.map(plain))}\n` : table(list, now));
    return EXIT.done;
  });
}

function table(list: readonly WorkerInfo[], now: number): string {
  return tableOf(
    [
      ...[{ title: "Worker" }, { title: "State" }, { title: "Heartbeat", align: "right" as const }],
      ...[
        { title: "Up", align: "right" as const },
        { title: "Slots", align: "right" as const },
      ],
      ...[{ title: "Tasks", align: "right" as const }, { title: "Queues" }, { title: "Running" }],
    ],
    list.map((worker) => [
      ...[safe(worker.id), stateOf(worker), formatAge(worker.heartbeatAge)],
      worker.startedAt === null ? "-" : formatAge(Math.max(0, now - worker.startedAt)),
      ...[`${worker.runningCount}/${worker.concurrency ?? "?"}`, String(worker.taskCount)],
      worker.queues.length === 0 ? (worker.readable ? "*" : "-") : safe(worker.queues.join(",")),
      running(worker, now),
    ]),
  );
}

function stateOf({ readable, alive, state, ready }: WorkerInfo): string {
  if (!alive) return "silent";
  if (!readable) return "unknown";
  if (state === "stopping") return "stopping";
  return ready ? "ready" : "not ready";
}

/** The longest running tasks, with their ages; stuck ones are named so. */
function running({ running: tasks, runningCount }: WorkerInfo, now: number): string {
  if (runningCount === 0) return "-";
  const first = [...tasks].sort((a, b) => (a.startedAt ?? now) - (b.startedAt ?? now)).slice(0, SHOWN);
  const texts = first.map(({ task, startedAt, stuck }) => {
    const age = startedAt === null ? "" : ` ${formatAge(Math.max(0, now - startedAt))}`;
    return `${safe(task)}${age}${stuck ? " (stuck)" : ""}`;
  });
  const more = runningCount - first.length;
  return [...texts, ...(more > 0 ? [`${more} more`] : [])].join(", ");
}

function plain({ startedAt, heartbeatAt, running: tasks, ...rest }: WorkerInfo): object {
  return {
    ...rest,
    startedAt: isoOrNull(startedAt),
    heartbeatAt: isoOf(heartbeatAt),
    running: tasks.map((task) => ({ ...task, startedAt: isoOrNull(task.startedAt) })),
  };
}

const isoOrNull = (at: number | null): string | null => (at === null ? null : isoOf(at));
