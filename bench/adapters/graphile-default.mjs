// graphile-worker as it comes, but for ten jobs at a time instead of one: as many as Sidereal's default.
import { graphile } from "./graphile.mjs";

export default graphile({
  name: "graphile",
  how: "10 jobs at a time, pool of 12, otherwise its defaults (no local queue, no batches); deletes what ran; W3 of a fifth, W5 of a quarter of the tasks",
  only: ["W3", "W4", "W5"],
  share: { W3: 0.2, W5: 0.25 },
  worker: { concurrentJobs: 10, maxPoolSize: 12 },
});
