/** What this process knows of its tasks, for people. */
import type { TaskSummary } from "./record-operations.ts";
import type { TaskRegistry } from "./registry.ts";
import { wordsOf } from "./timetables.ts";
import type { Task } from "./vocabulary.ts";

/** The registered tasks, by name. */
export function knownTasks(registry: TaskRegistry): TaskSummary[] {
  return registry.names().flatMap((name) => {
    const task = registry.get(name);
    return task === undefined ? [] : [summaryOf(task)];
  });
}

function summaryOf({ name, options, policy, schedule, definedAt }: Task): TaskSummary {
  return {
    name,
    queue: options.queue ?? "default",
    priority: options.priority ?? 0,
    retries: policy.retries,
    timeout: policy.timeout,
    delay: options.delay ?? null,
    schedule: schedule && `${wordsOf(schedule)}${schedule.cron === null ? "" : `, ${schedule.timezone}`}`,
    executionBackend: options.executionBackend ?? null,
    tags: options.tags ?? [],
    description: options.description ?? null,
    definedAt,
  };
}
