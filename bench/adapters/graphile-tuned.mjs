// graphile-worker with a local queue of 500 and completions in batches, which is the fastest it has been seen to be.
import { graphile } from "./graphile.mjs";

export default graphile({
  name: "graphile tuned",
  how: "addJob / addJobs by a pool of 20; 100 jobs at a time, localQueue.size 500, completeJobBatchDelay 0, failJobBatchDelay 0; deletes what ran; W1 and W5 of a quarter of the tasks",
  only: ["W1", "W2", "W3", "W4", "W5", "W6"],
  share: { W1: 0.25, W5: 0.25 },
  worker: {
    concurrentJobs: 100,
    maxPoolSize: 10,
    localQueue: { size: 500 },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  },
});
