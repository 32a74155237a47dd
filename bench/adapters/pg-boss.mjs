// pg-boss with batches and queue notifications, since one by one it runs 500 tasks a second.
import pg from "pg";
import { PgBoss } from "pg-boss";
import { payload } from "../lib/paths.mjs";

const QUEUE = "bench";
const LEFT = `select exists(select from pgboss.job where name = '${QUEUE}' and state < 'completed' and start_after <= now()) as found`;

export default {
  name: "pg-boss",
  store: "postgres",
  how: "send / insert by a pool of 20, queue notify on; 4 workers that fetch 500 each, burstWhenBatchFull; keeps what ran; W1 and W5 of a quarter of the tasks",
  only: ["W1", "W2", "W3", "W4", "W5"],
  share: { W1: 0.25, W5: 0.25 },
  bulkInFlight: 4,
  async open({ url }) {
    const boss = new PgBoss({ connectionString: url, max: 20, useListenNotify: true });
    boss.on("error", (error) => console.error("pg-boss", error.message));
    await boss.start();
    await boss.createQueue(QUEUE, { notify: true });
    const pool = new pg.Pool({ connectionString: url, max: 1 });
    return {
      enqueue: (id, at) => boss.send(QUEUE, payload(id, at)),
      enqueueMany(first, count, { delay } = {}) {
        const when = delay === undefined ? {} : { startAfter: new Date(Date.now() + delay) };
        return boss.insert(
          QUEUE,
          Array.from({ length: count }, (_, index) => ({ data: payload(first + index), ...when })),
        );
      },
      async work(onTask) {
        const options = { batchSize: 500, localConcurrency: 4, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true };
        await boss.work(QUEUE, options, async (jobs) => {
          for (const job of jobs) onTask(job.data);
        });
      },
      unfinished: async () => (await pool.query(LEFT)).rows[0].found,
      bytes: async () => Number((await pool.query("select pg_database_size(current_database()) as size")).rows[0].size),
      async close() {
        await boss.stop({ graceful: false });
        await pool.end();
      },
    };
  },
};
