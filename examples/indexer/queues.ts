/** The configuration, by itself: what `sidereal run` and `sidereal status` load. */
import "./tasks.ts";
import { defineQueues } from "sidereal";
import { sqlite } from "sidereal/sqlite";

export default defineQueues({
  queueBackend: sqlite(process.env["INDEXER_DB"] ?? "indexer.db"),
  inAppWorker: process.env["INDEXER_WORKER"] !== "off",
  worker: { maxConcurrency: 4 },
});
