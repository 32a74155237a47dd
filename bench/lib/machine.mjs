// What is known of the machine: for the table's head, and to tell a disturbed measurement.
import { readFileSync } from "node:fs";
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

export function machineClass() {
  const model = cpus()[0]?.model.trim() || process.arch;
  return `${availableParallelism()} cores (${model}), ${Math.round(totalmem() / 2 ** 30)} GB, ${process.platform}`;
}
