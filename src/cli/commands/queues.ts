/** `sidereal queues`: how deep each queue is, and pausing and resuming one. */
import { formatAge, type QueueInfo } from "../../index.ts";
import { safe } from "../console.ts";
import { onExisting } from "../existing.ts";
import { EXIT } from "../exits.ts";
import type { Source } from "../load.ts";
import { isoOf, nameOf, tableOf } from "../values.ts";

export interface QueuesFlags {
  readonly json?: boolean;
}

export interface PauseFlags extends QueuesFlags {
  readonly reason?: string;
}

type Out = (text: string) => void;

/** Prints every queue that holds records or is paused. */
export async function listQueues({ json }: QueuesFlags, source: Source, out: Out): Promise<number> {
  return onExisting(source, async ({ service, now }) => {
    const queues = await service.queues.list();
    out(json === true ? `${JSON.stringify(queues.map(plain))}\n` : table(queues, now));
    return EXIT.done;
  });
}

/** Pauses a queue; one that is paused already is no error. */
export async function pauseQueue(name: string, flags: PauseFlags, source: Source, out: Out): Promise<number> {
  const queue = nameOf(name, "the queue");
  return onExisting(source, async ({ service }) => {
    const { reason } = flags;
    const changed = await service.queues.pause(queue, reason === undefined ? {} : { reason });
    told(out, flags, { queue, paused: true, changed }, changed ? `paused ${queue}` : `${queue} was paused already`);
    return EXIT.done;
  });
}

/** Resumes a queue; one that is not paused is no error. */
export async function resumeQueue(name: string, flags: QueuesFlags, source: Source, out: Out): Promise<number> {
  const queue = nameOf(name, "the queue");
  return onExisting(source, async ({ service }) => {
    const changed = await service.queues.resume(queue);
    told(out, flags, { queue, paused: false, changed }, changed ? `resumed ${queue}` : `${queue} was not paused`);
    return EXIT.done;
  });
}

function told(out: Out, { json }: QueuesFlags, data: object, words: string): void {
  out(`${json === true ? JSON.stringify(data) : words}\n`);
}

const COUNTS = ["pending", "scheduled", "running", "completed", "failed", "cancelled"] as const;

function table(queues: readonly QueueInfo[], now: number): string {
  const numbers = [...COUNTS, "oldest", "workers"].map((name) => ({ title: titled(name), align: "right" as const }));
  return tableOf(
    [{ title: "Queue" }, ...numbers, { title: "Paused" }],
    queues.map(({ name, counts, oldestAge, workers, paused }) => [
      safe(name),
      ...COUNTS.map((status) => String(counts[status])),
      ...[oldestAge === null ? "-" : formatAge(oldestAge), String(workers)],
      paused === null ? "-" : pauseText(paused, now),
    ]),
  );
}

function pauseText({ at, reason }: NonNullable<QueueInfo["paused"]>, now: number): string {
  const since = at === null ? "yes" : `${formatAge(Math.max(0, now - at))} ago`;
  return reason === null ? since : `${since}: ${safe(reason).replaceAll("\n", " ")}`;
}

function plain({ oldestReadyAt, paused, ...rest }: QueueInfo): object {
  const { at = null, reason = null } = paused ?? {};
  return {
    ...rest,
    paused: paused === null ? null : { at: at === null ? null : isoOf(at), reason },
    oldestReadyAt: oldestReadyAt === null ? null : isoOf(oldestReadyAt),
  };
}

const titled = (name: string): string => `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;
