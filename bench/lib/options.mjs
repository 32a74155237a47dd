// The command line.
import { parseArgs } from "node:util";
import { FILES } from "./adapters.mjs";
import { USUAL, WORKLOADS } from "./plan.mjs";

export const USAGE = `npm run bench -- --store sqlite|memory|postgres|mysql [options]

  --only W1,W3     these workloads (default: W1 to W8; W9, five minutes of a pinned snapshot,
                   is there for postgres and mysql)
  --reps 3         rounds; every figure is the median
  --scale 1        share of the full sizes
  --peers no       measure Sidereal alone
  --server URL     where the server is; databases named sidereal_bench_... are made there, and dropped
  --dist FOLDER    measure this build instead of a fresh one
  --profile        write CPU profiles of Sidereal's processes to bench/out/
  --json           one JSON object per figure and line: workload, store, name, value, unit
`;

/** Reads the options; throws an Error whose message is for the user. */
export function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      store: { type: "string", default: "sqlite" },
      only: { type: "string", default: USUAL.join(",") },
      reps: { type: "string", default: "3" },
      scale: { type: "string", default: "1" },
      peers: { type: "string", default: "yes" },
      server: { type: "string" },
      dist: { type: "string" },
      profile: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const only = values.only.split(",");
  const unknown = only.find((name) => !(name in WORKLOADS));
  if (unknown !== undefined) throw new Error(`--only: there is no workload ${unknown}`);
  if (!(values.store in FILES)) throw new Error(`--store: there is no store ${values.store}`);
  if (only.includes("W9") && !["postgres", "mysql"].includes(values.store))
    throw new Error(`--only W9: a snapshot is pinned on postgres and mysql, not on ${values.store}`);
  const [reps, scale] = [Number(values.reps), Number(values.scale)];
  if (!(Number.isInteger(reps) && reps >= 1)) throw new Error(`--reps: ${values.reps} is not a number of rounds`);
  if (!(scale > 0 && scale <= 1)) throw new Error(`--scale: ${values.scale} is not a share between 0 and 1`);
  return { ...values, only, reps, scale, peers: values.peers !== "no" };
}
