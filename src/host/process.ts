/** What the process is called. */
import { hostname } from "node:os";

/** A worker's name for people: host, process, and a part that tells two workers of one process apart. */
export function workerName(random: string): string {
  return `${hostname().slice(0, 60)}-${process.pid}-${random.slice(0, 6)}`;
}
