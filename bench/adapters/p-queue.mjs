// p-queue: functions in memory, no records. `enqueue` awaits what `add` returns, so it includes running the no-op.
import PQueue from "p-queue";
import { payload } from "../lib/paths.mjs";

export default {
  name: "p-queue",
  store: "memory",
  how: "concurrency 10 (Sidereal's default), payload by reference; keeps no records, results or states",
  bulkInFlight: 4,
  async open({ workload }) {
    const queue = new PQueue({ concurrency: 10, autoStart: workload !== "W3" });
    let handle = () => {};
    const add = (id, at) => {
      const input = payload(id, at);
      return queue.add(() => handle(input));
    };
    return {
      enqueue: add,
      async enqueueMany(first, count) {
        for (let id = first; id < first + count; id += 1) void add(id);
      },
      async work(onTask) {
        handle = onTask;
        queue.start();
      },
      unfinished: async () => queue.size + queue.pending > 0,
      async close() {},
    };
  },
};
