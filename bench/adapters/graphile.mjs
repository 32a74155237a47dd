// graphile-worker, with its defaults and tuned: both are the same but for what the worker is told. It deletes what ran.
import { Logger, makeWorkerUtils, run } from "graphile-worker";
import pg from "pg";
import { payload } from "../lib/paths.mjs";

const logger = new Logger(() => () => {});
const LEFT = "select exists(select from graphile_worker._private_jobs where run_at <= now()) as found";

export const graphile = ({ worker, ...rest }) => ({
  store: "postgres",
  package: "graphile-worker",
  bulkInFlight: 4,
  ...rest,
  async open({ url }) {
    const pool = new pg.Pool({ connectionString: url, max: 20 });
    pool.on("error", () => {});
    const utils = await makeWorkerUtils({ pgPool: pool, logger });
    await utils.migrate();
    let runner = null;
    return {
      enqueue: (id, at) => utils.addJob("bench", payload(id, at)),
      enqueueMany(first, count, { delay } = {}) {
        const when = delay === undefined ? {} : { runAt: new Date(Date.now() + delay) };
        const jobs = Array.from({ length: count }, (_, index) => ({
          identifier: "bench",
          payload: payload(first + index),
          ...when,
        }));
        return utils.addJobs(jobs);
      },
      async work(onTask) {
        runner = await run({
          preset: { worker: { connectionString: url, logger, ...worker } },
          noHandleSignals: true,
          logger,
          taskList: { bench: async (input) => onTask(input) },
        });
      },
      unfinished: async () => (await pool.query(LEFT)).rows[0].found,
      bytes: async () => Number((await pool.query("select pg_database_size(current_database()) as size")).rows[0].size),
      async close() {
        await runner?.stop();
        await utils.release();
        await pool.end();
      },
    };
  },
});
