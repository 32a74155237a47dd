/** `sidereal tasks`: the tasks that the application registers. Touches no store. */
import { relative } from "node:path";
import { QueueService, type TaskSummary } from "../../index.ts";
import { safe, say } from "../console.ts";
import { EXIT } from "../exits.ts";
import { closed, loadQueues, type Source } from "../load.ts";
import { jsonOf, lengthText, tableOf } from "../values.ts";

export interface TasksFlags {
  readonly json?: boolean;
}

/** Lists the tasks. @returns 0 */
export async function tasks(flags: TasksFlags, source: Source, out: (text: string) => void): Promise<number> {
  const loaded = await loadQueues(source);
  try {
    // A store of its own in memory: the task modules are imported, and the application's store is left alone.
    const service = await new QueueService({ taskModules: loaded.config.taskModules ?? [] }).open();
    const known = service.tasks();
    await service.close();
    if (flags.json === true) out(jsonOf(known));
    else out(table(known, source.cwd));
    if (known.length === 0) {
      say("note: no task is registered; import the modules that define them, or list them in taskModules");
    }
  } finally {
    await closed(loaded);
  }
  return EXIT.done;
}

function table(known: readonly TaskSummary[], cwd: string): string {
  const columns = [
    ...[{ title: "Task" }, { title: "Queue" }],
    ...([
      { title: "Retries", align: "right" },
      { title: "Timeout", align: "right" },
    ] as const),
    ...[{ title: "Schedule" }, { title: "Defined at" }],
  ];
  const rows = known.map(({ name, queue, retries, timeout, schedule, definedAt }) => [
    ...[name, queue, String(retries), timeout === null ? "none" : lengthText(timeout)],
    ...[schedule ?? "none", placeOf(definedAt, cwd)],
  ]);
  return tableOf(
    columns,
    rows.map((row) => row.map(safe)),
  );
}

/** The place in the project, or the whole path where it lies elsewhere. */
function placeOf(definedAt: string, cwd: string): string {
  const short = relative(cwd, definedAt);
  return short.startsWith("..") || short === "" ? definedAt : short;
}
