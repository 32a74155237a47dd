/** `sidereal doctor`: what is well, what is dangerous, what is broken, each in one sentence with what to do. */
import { systemClock } from "../../host/clock.ts";
import { type Finding, memory, type QueueBackend, QueueService, registeredTasks } from "../../index.ts";
import { environmentFindings } from "../checkup/environment.ts";
import { settingFindings } from "../checkup/settings.ts";
import { answerFindings, problemOf, schemaFinding } from "../checkup/store.ts";
import { workFindings } from "../checkup/work.ts";
import { safe } from "../console.ts";
import { EXIT } from "../exits.ts";
import { Fault } from "../faults.ts";
import { closed, type Loaded, loadQueues, type Source } from "../load.ts";

export interface DoctorFlags {
  readonly json?: boolean;
}

/** Prints what it found. @returns 0, or 1 if there is a problem; that no application was found is thrown, as everywhere */
export async function doctor(
  { json = false }: DoctorFlags,
  source: Source,
  out: (text: string) => void,
): Promise<number> {
  const production = process.env["NODE_ENV"] === "production";
  const found: Finding[] = [];
  const { platform, arch, versions } = process;
  found.push(...environmentFindings({ node: versions.node, platform: `${platform} ${arch}`, production }));
  const loaded = await loadedOr(found, source);
  if (loaded !== null) {
    try {
      await examine(loaded, production, found);
    } finally {
      await closed(loaded);
    }
  }
  const problems = count(found, "problem");
  const warnings = count(found, "warning");
  out(json ? `${JSON.stringify({ problems, warnings, findings: found })}\n` : text(found, problems, warnings));
  return problems > 0 ? EXIT.failed : EXIT.done;
}

async function loadedOr(found: Finding[], source: Source): Promise<Loaded | null> {
  try {
    const loaded = await loadQueues(source);
    found.push({ check: "application", level: "ok", message: "it loads, and has a queue configuration", advice: null });
    return loaded;
  } catch (error) {
    if (!(error instanceof Fault) || error.parts.exit === EXIT.usage) throw error;
    const { what, why = [], fix = null } = error.parts;
    found.push({ check: "application", level: "problem", message: [what, ...why].join(": "), advice: fix });
    return null;
  }
}

async function examine({ config, lend }: Loaded, production: boolean, found: Finding[]): Promise<void> {
  const service = new QueueService({ ...config, dependencies: {} });
  lend(service);
  found.push(await tasksFinding(service));
  const { queueBackend = "memory" } = config;
  const store = (queueBackend === "memory" ? memory() : queueBackend) as QueueBackend;
  const { name, shared, signals } = store;
  const around = { production, shared, store: name, signals: signals !== undefined };
  found.push(...settingFindings(service.settings, around));
  if (!shared) {
    const message = `the ${name} store lives inside the application's process: there is nothing more to see from here`;
    found.push({ check: "store", level: "ok", message, advice: null });
    return;
  }
  const schema = await schemaFinding(store, service.settings.namespace);
  found.push(schema);
  if (schema.level === "problem") return;
  try {
    await service.open();
    try {
      found.push(...(await answerFindings(service, systemClock)));
      found.push(...((await store.diagnose?.()) ?? []));
      found.push(...workFindings(await service.queues.list(), await service.workers()));
    } finally {
      await service.close();
    }
  } catch (error) {
    found.push(problemOf("store", error));
  }
}

async function tasksFinding(service: QueueService<unknown>): Promise<Finding> {
  try {
    await service.loadTasks();
  } catch (error) {
    return problemOf("tasks", error);
  }
  const tasks = registeredTasks().length;
  if (tasks > 0) return { check: "tasks", level: "ok", message: `${tasks} registered`, advice: null };
  const advice = "Import the modules that define tasks from the application, or list them in taskModules.";
  return { check: "tasks", level: "warning", message: "no task is registered: a worker would claim nothing", advice };
}

function count(found: readonly Finding[], level: Finding["level"]): number {
  return found.filter((finding) => finding.level === level).length;
}

function text(found: readonly Finding[], problems: number, warnings: number): string {
  const widest = Math.max(...found.map(({ check }) => check.length));
  const line = (level: string, check: string, words: string): string =>
    `${level.padEnd(7)}  ${check.padEnd(widest)}  ${safe(words).replaceAll("\n", " ")}\n`;
  const lines = found.map(({ check, level, message, advice }) => {
    const first = line(level, check, message);
    return level === "ok" || advice === null ? first : `${first}${line("", "", `fix: ${advice}`)}`;
  });
  const plural = (n: number, word: string): string => `${n} ${word}${n === 1 ? "" : "s"}`;
  return `${lines.join("")}\n${plural(problems, "problem")}, ${plural(warnings, "warning")}\n`;
}
