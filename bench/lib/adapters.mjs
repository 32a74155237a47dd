// The adapters, one file each; the peers of a store are measured beside ours.

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bench } from "./paths.mjs";

/** Ours first. */
export const FILES = {
  sqlite: ["sidereal-sqlite", "plainjob"],
  memory: ["sidereal-memory", "p-queue"],
  postgres: ["sidereal-postgres", "graphile-tuned", "graphile-default", "pg-boss", "bullmq-postgres"],
  mysql: ["sidereal-mysql", "mysql-raw"],
};

export const loadAdapter = async (file) =>
  (await import(pathToFileURL(join(bench, "adapters", `${file}.mjs`)).href)).default;
