/** `sidereal scheduler-health`: is the scheduler alive? By the last completion of the canary task. */
import { type QueueService, registeredTasks } from "../../index.ts";
import { say } from "../console.ts";
import { onExisting } from "../existing.ts";
import { EXIT } from "../exits.ts";
import { Fault } from "../faults.ts";
import type { Source } from "../load.ts";
import { isoOf, wholeOf } from "../values.ts";

export interface SchedulerHealthFlags {
  readonly minutes?: string;
  readonly json?: boolean;
}

/** Prints when the canary completed last. @returns 0 healthy, 3 not registered (thrown), 4 not lately */
export async function schedulerHealth(
  { minutes = "5", json = false }: SchedulerHealthFlags,
  source: Source,
  out: (text: string) => void,
): Promise<number> {
  const window = wholeOf(minutes, "--minutes", 1, 1_000_000);
  const look = async (service: QueueService<unknown>): Promise<number> => {
    const health = await service.schedulerHealth({ within: `${window}m` });
    if (health.state === "unregistered") throw unregistered(health.task);
    const { state, task } = health;
    if (health.state === "healthy") {
      const completedAt = isoOf(health.completedAt);
      out(json ? `${JSON.stringify({ state, task, completedAt })}\n` : `healthy: ${task} completed ${completedAt}\n`);
      return EXIT.done;
    }
    const since = isoOf(health.since);
    const lastCompletedAt = health.lastCompletedAt === null ? null : isoOf(health.lastCompletedAt);
    if (json) out(`${JSON.stringify({ state, task, since, lastCompletedAt })}\n`);
    say(`stale: no ${task} completion within ${window}m window since ${since}`);
    say(`  last   ${lastCompletedAt ?? "never, as far as the records tell"}`);
    say(
      "  fix    See that a worker runs and knows the task (`sidereal workers`), and that its schedule is not paused.",
    );
    return EXIT.stale;
  };
  return onExisting(source, ({ service }) => look(service), {
    withTasks: true,
    shared: "The canary's completions are not to be seen from here.",
    first: ({ settings }) => {
      if (!registeredTasks().includes(settings.schedulerCanaryTask)) throw unregistered(settings.schedulerCanaryTask);
    },
  });
}

function unregistered(task: string): Fault {
  const names = registeredTasks();
  const shown = names.length > 10 ? [...names.slice(0, 10), "…"] : names;
  return new Fault({
    exit: EXIT.unregistered,
    what: `the canary task ${task} is not registered`,
    why: [`the application registers ${shown.length === 0 ? "no task" : shown.join(", ")}`],
    fix: `Register it: task(${JSON.stringify(task)}, { schedule: { interval: "60s" } }, async () => {}); or name another by schedulerCanaryTask.`,
  });
}
