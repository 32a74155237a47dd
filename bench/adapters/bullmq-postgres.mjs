// BullMQ on its PostgreSQL backend.
import { createPostgresBackend, Queue, Worker } from "bullmq";
import { payload } from "../lib/paths.mjs";

export default {
  name: "bullmq",
  store: "postgres",
  how: "its PostgreSQL backend, pool of 20, addBulk, 10 jobs at a time, removeOnComplete; W1 of half, W3 and W5 of a fifth of the tasks",
  only: ["W1", "W2", "W3", "W4", "W5"],
  share: { W1: 0.5, W3: 0.2, W5: 0.2 },
  bulkInFlight: 4,
  async open({ url }) {
    const { hostname: host, port, username: user, password, pathname } = new URL(url);
    const server = { host, port: Number(port), user, ...(password && { password }), database: pathname.slice(1) };
    const connection = { ...server, max: 20, migrate: true };
    const defaultJobOptions = { removeOnComplete: true };
    const queue = new Queue("bench", { connection, defaultJobOptions }, createPostgresBackend);
    await queue.waitUntilReady();
    let worker = null;
    return {
      enqueue: (id, at) => queue.add("job", payload(id, at)),
      enqueueMany(first, count, { delay } = {}) {
        const when = delay === undefined ? {} : { opts: { delay } };
        return queue.addBulk(
          Array.from({ length: count }, (_, index) => ({ name: "job", data: payload(first + index), ...when })),
        );
      },
      async work(onTask) {
        const handle = async ({ data }) => onTask(data);
        worker = new Worker("bench", handle, { connection, concurrency: 10 }, createPostgresBackend);
        await worker.waitUntilReady();
      },
      async unfinished() {
        const { wait, active } = await queue.getJobCounts("wait", "active");
        return wait + active > 0;
      },
      async close() {
        await worker?.close(true);
        await queue.close();
      },
    };
  },
};
