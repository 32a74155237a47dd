/**
 * The plans that the speed rests on: with many completed, scheduled and unserved records in the way, no hot statement
 * scans a table or reads more than it answers with. Once as our own connections are set, once as a lent one may be; with
 * the plan for the values at hand and with the one for any.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import pg from "pg";
import { postgres } from "../../src/backends/postgres/index.ts";
import type { QueueBackend } from "../../src/contracts/queue-backend.ts";
import { ROWS, RUNNING, work } from "../sql/work.ts";
import { ADDRESS, drop, freshNamespace, raw, skip } from "./bench.ts";

/** Pages that a statement over at most 100 records may look at, and how many rows the steps of its plan may look at. */
const PAGES = 2_000;
const READ = 300;

/** A filtered page looks at so many ids at most to find out where it ends, and at more pages. */
const LOOKED_AT = 10_000;

interface Step {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Actual Rows": number;
  readonly "Rows Removed by Filter"?: number;
  readonly "Rows Removed by Index Recheck"?: number;
  readonly "Actual Loops": number;
  readonly "Shared Hit Blocks": number;
  readonly "Shared Read Blocks": number;
  readonly Plans?: readonly Step[];
}

interface Plan {
  readonly text: string;
  readonly step: Step;
}

const OWN = "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; set jit = off";

describe(`plans with ${4 * ROWS} records in the way`, { skip }, () => {
  const namespace = freshNamespace();
  before(async () => {
    await postgres(ADDRESS).schema?.migrate({ namespace });
    await fill(namespace);
  });
  after(() => drop(namespace));

  for (const [at, [name, settings, forced]] of [
    ["on our own connections, planned for the values at hand", OWN, "auto"],
    ["on our own connections", OWN, "force_generic_plan"],
    ["on a lent connection", "select 1", "auto"],
  ].entries() as Iterable<[number, [string, string, string]]>) {
    it(name, async (t) => {
      const client = new pg.Client({ connectionString: ADDRESS });
      await client.connect();
      await client.query(settings);
      const plans: Plan[] = [];
      let watching = false;
      const query = async (text: string, values: (string | null)[]): Promise<pg.QueryResult> => {
        if (watching && !/^(?:begin|commit|rollback|select set_config)/u.test(text))
          plans.push({ text, step: await planOf(client, forced, text, values) });
        return client.query(text, values);
      };
      const backend = postgres({ client: { query } });
      t.after(async () => {
        await backend.close();
        await client.end();
      });
      await backend.open({ namespace });
      watching = true;
      await work(backend as QueueBackend<never>, at + 1);
      assert.ok(plans.length >= 30, `${plans.length} statements were looked at`);
      assert.deepEqual(plans.flatMap(faults), []);
    });
  }
});

async function planOf(client: pg.Client, forced: string, text: string, values: (string | null)[]): Promise<Step> {
  await client.query("begin");
  try {
    await client.query(`set local plan_cache_mode = ${forced}`);
    const types = values.map(() => "text").join(", ");
    await client.query(`prepare plan${types === "" ? "" : `(${types})`} as ${text}`);
    const literals = values.map((value) => (value === null ? "null" : client.escapeLiteral(value))).join(", ");
    const { rows } = await client.query({
      text: `explain (analyze, buffers, timing off, format json) execute plan${literals === "" ? "" : `(${literals})`}`,
      rowMode: "array",
    });
    await client.query("deallocate plan");
    return rows[0]?.[0]?.[0]?.Plan as Step;
  } finally {
    await client.query("rollback");
  }
}

/** What is wrong with a plan. */
function faults({ text, step: top }: Plan): readonly string[] {
  const found: string[] = [];
  const pages = top["Shared Hit Blocks"] + top["Shared Read Blocks"];
  const filtered = text.startsWith("with b as");
  if (pages > PAGES * (filtered ? 1.5 : 1)) found.push(`${pages} pages: ${text}`);
  const limit = filtered ? LOOKED_AT : text.includes("lease_until <") ? RUNNING + READ : READ;
  const look = (step: Step): void => {
    const table = step["Relation Name"];
    if (table === "live" || table === "done") {
      if (step["Node Type"] === "Seq Scan") found.push(`${table} is scanned: ${text}`);
      const removed = (step["Rows Removed by Filter"] ?? 0) + (step["Rows Removed by Index Recheck"] ?? 0);
      const rows = (step["Actual Rows"] + removed) * step["Actual Loops"];
      if (rows > limit) found.push(`${rows} rows of ${table} are read by ${step["Index Name"]}: ${text}`);
    }
    step.Plans?.forEach(look);
  };
  look(top);
  return found;
}

/** Completed, scheduled with a higher priority, of another queue that nobody serves, running elsewhere, and ready ones. */
async function fill(namespace: string): Promise<void> {
  const columns =
    "id, task_name, queue, execution, priority, policy, created_at, queued_at, ready_at, state, claim, lease_until, seq";
  const put = (table: string, from: number, rows: number, values: string): string =>
    `insert into "${namespace}".${table} (${columns}${table === "done" ? ", finished_at" : ""})
    select '0192d3a4-b5c6-7000-8000-' || lpad(to_hex(${from} + n), 12, '0'), ${values} from generate_series(1, ${rows}) n;`;
  const fixed = `'[3,"fixed",0,1,0,0,null,1]', 1, 1`;
  await raw(
    `${put("live", 10_000_000, ROWS, `'mail.send', 'default', 'local', 0, ${fixed}, 1000 + n, 0, null, null, n`)}
    ${put("live", 20_000_000, ROWS, `'mail.send', 'default', 'local', 5, ${fixed}, 9000000000000 + n, 0, null, null, n`)}
    ${put("live", 30_000_000, ROWS, `'unserved', 'elsewhere', 'local', 9, ${fixed}, 1, 0, null, null, n`)}
    ${put("live", 35_000_000, RUNNING, `'mail.send', 'elsewhere', 'local', 0, ${fixed}, 1, 2, 'of ' || n % 10, 9000000000000, n`)}
    ${put("done", 40_000_000, ROWS, `'mail.send', 'default', 'local', 0, ${fixed}, 1, case when n % 100 = 0 then 4 else 3 end, null, null, n, n`)}
    analyze "${namespace}".live; analyze "${namespace}".done`,
  );
}
