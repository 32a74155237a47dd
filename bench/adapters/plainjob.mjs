// plainjob on better-sqlite3. Its pragmas are its own; only the poll interval is set, far below its default of 1 s.
import Database from "better-sqlite3";
import { better, defineQueue, defineWorker } from "plainjob";
import { payload } from "../lib/paths.mjs";

const logger = { debug() {}, info() {}, warn() {}, error: console.error };

export default {
  name: "plainjob",
  store: "sqlite",
  how: "better-sqlite3, journal_mode=WAL, synchronous=NORMAL (plainjob sets both), one worker, pollIntervall 10 ms",
  bulkInFlight: 1,
  async open({ file }) {
    const db = new Database(file);
    const queue = defineQueue({ connection: better(db), logger });
    const due = db.prepare(
      `select exists(select 1 from plainjob_jobs where status = 0 and type = 'bench' and next_run_at <= ?)
       or exists(select 1 from plainjob_jobs where status = 1 and type = 'bench') as found`,
    );
    return {
      enqueue: async (id, at) => queue.add("bench", payload(id, at)),
      enqueueMany: async (first, count, { delay } = {}) =>
        queue.addMany(
          "bench",
          Array.from({ length: count }, (_, index) => payload(first + index)),
          delay === undefined ? {} : { delay },
        ),
      async work(onTask) {
        const worker = defineWorker("bench", async (job) => onTask(JSON.parse(job.data)), {
          queue,
          pollIntervall: 10,
          logger,
        });
        void worker.start();
      },
      unfinished: async () => due.get(Date.now()).found === 1,
      async seedCompleted(count) {
        db.prepare(
          `insert into plainjob_jobs (type, data, status, next_run_at, created_at)
           with recursive counter(i) as (select 1 union all select i + 1 from counter where i < ?)
           select 'bench', ?, 2, ?, ? from counter`,
        ).run(count, JSON.stringify(payload(1)), Date.now(), Date.now());
        db.pragma("wal_checkpoint(truncate)");
      },
      async close() {
        queue.close();
      },
    };
  },
};
