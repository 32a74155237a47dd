/** What the process is called, and what it runs. */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";

/** A worker's name for people: host, process, and a part that tells two workers of one process apart. */
export function workerName(random: string): string {
  return `${hostLabel()}-${process.pid}-${random.slice(0, 6)}`;
}

/** Where this process is and what it runs, for people. */
export function processPlace(): {
  readonly host: string;
  readonly pid: number;
  readonly node: string;
  readonly version: string | null;
} {
  return { host: hostLabel(), pid: process.pid, node: process.versions.node, version: packageVersion() };
}

const hostLabel = (): string => hostname().slice(0, 60);

/** The package's version; null where its files are not as they were packed, as in a bundle. */
function packageVersion(): string | null {
  try {
    const found = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
    return found.name === "sidereal" && typeof found.version === "string" ? found.version : null;
  } catch {
    return null;
  }
}
