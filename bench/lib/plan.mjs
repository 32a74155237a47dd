// What is measured for each store, how large, and what must come out: floor and goal, against the best peer unless said.

/** Sizes at `--scale 1`. */
export const SIZES = {
  W1: 20_000,
  W2: 100_000,
  W3: 50_000,
  W4: 500,
  W5: 20_000,
  completed: 1_000_000,
  scheduled: 200_000,
  growth: 1_000_000,
  stored: 100_000,
  /** Seconds. */
  pinned: 300,
};

export const WORKLOADS = {
  W1: "single enqueue, 64 in flight",
  W2: "enqueueMany, chunks of 1,000",
  W3: "drain of a filled store, one worker",
  W4: "call to handler, idle worker, one every 20 ms",
  W5: "producer (64 in flight) and worker in one process",
  W6: "W3 in a store that holds much",
  W7: "memory",
  W8: "start-up",
  W9: "claims while a snapshot is pinned",
};

/** What runs unless `--only` says otherwise; W9 takes minutes and has no peer. */
export const USUAL = Object.keys(WORKLOADS).filter((name) => name !== "W9");

/** Stores that hold much are as fast as empty ones. */
const GROWN = { completed: { of: "base", floor: 0.9, goal: 0.9 }, scheduled: { of: "base", floor: 0.9, goal: 0.9 } };

/**
 * Targets by store, workload and figure. `ratio`: ours divided by the best peer's; `value`: ours alone; `base`: ours divided
 * by our W3. `most` turns the comparison round: less is better.
 */
export const TARGETS = {
  sqlite: {
    W1: { rate: { of: "ratio", floor: 3, goal: 4 } },
    W2: { rate: { of: "ratio", floor: 1.1, goal: 1.4 } },
    W3: { rate: { of: "ratio", floor: 4.5, goal: 8 } },
    W4: latency({ of: "ratio", floor: 0.5, goal: 0.5, most: true }),
    W5: { rate: { of: "ratio", floor: 3.5, goal: 5 } },
    W6: GROWN,
  },
  postgres: {
    W1: { rate: { of: "ratio", floor: 12, goal: 19 } },
    W2: { rate: { of: "ratio", floor: 1.5, goal: 2.2 } },
    W3: { rate: { of: "ratio", floor: 1.2, goal: 1.6 } },
    W4: latency({ of: "ratio", floor: 1, goal: 0.8, most: true }),
    W5: { rate: { of: "ratio", floor: 15, goal: 20 } },
    W6: GROWN,
  },
  mysql: {
    W2: { rate: { of: "ratio", floor: 0.5, goal: 0.5 } },
    W3: { rate: { of: "ratio", floor: 0.5, goal: 0.5 } },
  },
  memory: {
    W1: { rate: { of: "ratio", floor: 0.8, goal: 1 } },
    W3: { rate: { of: "ratio", floor: 0.7, goal: 1 } },
    W4: { p50: { of: "value", floor: 0.2, goal: 0.2, most: true } },
  },
};

function latency(target) {
  const here = { p50: target, p99: target };
  return { ...here, "p50, other process": target, "p99, other process": target };
}
