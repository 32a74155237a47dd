// What is known of the machine: for the table's head, and to tell a disturbed measurement.
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";

/** CPU seconds that the whole machine has worked since boot; null where /proc does not tell. */
export function machineBusy() {
  try {
    const [, user, nice, system, , , irq, softirq] = readFileSync("/proc/stat", "latin1").split(/\s+/u, 8).map(Number);
    return (user + nice + system + irq + softirq) / 100;
  } catch {
    return null;
  }
}

/**
 * CPU seconds that a server has worked for one database: of PostgreSQL its connections now open, of MySQL everything, since
 * there they are threads. 0 where /proc does not tell.
 */
export function serverSeconds(url) {
  if (url === undefined) return 0;
  const { protocol, pathname } = new URL(url);
  const [names, part] = protocol === "mysql:" ? [["mariadbd", "mysqld"], ""] : [["postgres"], pathname.slice(1)];
  let ticks = 0;
  try {
    for (const id of readdirSync("/proc")) if (/^\d+$/u.test(id)) ticks += ticksOf(id, names, part);
  } catch {
    return 0;
  }
  return ticks / 100;
}

function ticksOf(id, names, part) {
  try {
    const stat = readFileSync(`/proc/${id}/stat`, "latin1");
    const end = stat.lastIndexOf(")");
    if (!names.includes(stat.slice(stat.indexOf("(") + 1, end))) return 0;
    if (!readFileSync(`/proc/${id}/cmdline`, "latin1").includes(part)) return 0;
    const fields = stat.slice(end + 2).split(" ");
    return Number(fields[11]) + Number(fields[12]);
  } catch {
    return 0;
  }
}

export function machineClass() {
  const model = cpus()[0]?.model.trim() || process.arch;
  return `${availableParallelism()} cores (${model}), ${Math.round(totalmem() / 2 ** 30)} GB, ${process.platform}`;
}
