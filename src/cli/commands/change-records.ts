/** `sidereal records cancel`, `revive` and `retry`: by id, or all that flags mean, after a look at how many these are. */
import { type BulkReport, hasCode, type QueueService, type TaskStatus } from "../../index.ts";
import { safe, say } from "../console.ts";
import { onExisting } from "../existing.ts";
import { EXIT } from "../exits.ts";
import { usage } from "../faults.ts";
import { type Asked, type FilterFlags, filterOf } from "../filter-flags.ts";
import type { Source } from "../load.ts";
import { jsonOf, tableOf, wholeOf } from "../values.ts";

type Out = (text: string) => void;
type Service = QueueService<unknown>;

export interface ChangeFlags extends FilterFlags {
  readonly all?: boolean;
  readonly yes?: boolean;
  readonly perSecond?: string;
  readonly limit?: string;
  readonly reason?: string;
  readonly json?: boolean;
}

type Verb = "cancel" | "revive";

const POSSIBLE: Readonly<Record<Verb, readonly TaskStatus[]>> = {
  cancel: ["pending", "scheduled", "running"],
  revive: ["failed", "cancelled"],
};

/** What happened to one id. */
interface Outcome {
  readonly id: string;
  readonly outcome: string;
  /** Of a retry: the new record. */
  readonly newId?: string;
}

/** Cancels records. @returns 0; 1 when one was not found, had ended, or could not be written */
export function cancel(ids: readonly string[], flags: ChangeFlags, source: Source, out: Out): Promise<number> {
  const reason = flags.reason === undefined ? {} : { reason: flags.reason };
  if (ids.length === 0) {
    return inBulk("cancel", flags, source, out, (service, filter, options) =>
      service.cancel(filter, { ...options, ...reason }),
    );
  }
  const one = async (service: Service, id: string): Promise<Outcome> => ({
    id,
    outcome: await service.cancel(id, reason),
  });
  return oneByOne(ids, flags, source, out, ["cancelled", "requested"], one);
}

/** Revives records. @returns 0; 1 when one was not found, has nothing to revive, or could not be written */
export function revive(ids: readonly string[], flags: ChangeFlags, source: Source, out: Out): Promise<number> {
  if (ids.length === 0) {
    return inBulk("revive", flags, source, out, (service, filter, options) => service.revive(filter, options));
  }
  const one = async (service: Service, id: string): Promise<Outcome> => ({ id, outcome: await service.revive(id) });
  return oneByOne(ids, flags, source, out, ["revived"], one);
}

/** Runs ended records again, as new ones. @returns 0; 1 when one was not found or has not ended */
export function retry(ids: readonly string[], flags: ChangeFlags, source: Source, out: Out): Promise<number> {
  return oneByOne(ids, flags, source, out, ["enqueued"], async (service, id) => {
    try {
      return { id, outcome: "enqueued", newId: (await service.retry(id)).id };
    } catch (error) {
      if (hasCode(error, "RECORD_GONE")) return { id, outcome: "gone" };
      if (hasCode(error, "ILLEGAL_TRANSITION")) return { id, outcome: "not-finished" };
      throw error;
    }
  });
}

async function oneByOne(
  ids: readonly string[],
  flags: ChangeFlags,
  source: Source,
  out: Out,
  good: readonly string[],
  change: (service: Service, id: string) => Promise<Outcome>,
): Promise<number> {
  if (!filterOf(flags).empty || flags.all === true) {
    throw usage("both ids and filter flags were given", "Name the records, or say which are meant, not both.");
  }
  return onExisting(source, async ({ service }) => {
    const outcomes: Outcome[] = [];
    for (const id of new Set(ids)) outcomes.push(await change(service, id));
    if (flags.json === true) out(jsonOf(outcomes));
    else out(table(outcomes));
    return outcomes.every(({ outcome }) => good.includes(outcome)) ? EXIT.done : EXIT.failed;
  });
}

function table(outcomes: readonly Outcome[]): string {
  const isRetry = outcomes.some(({ newId }) => newId !== undefined);
  const columns = [{ title: "Id" }, { title: "Outcome" }, ...(isRetry ? [{ title: "New id" }] : [])];
  const rows = outcomes.map(({ id, outcome, newId = "" }) => [safe(id.slice(0, 200)), outcome, newId]);
  return tableOf(columns, rows);
}

interface Paced {
  readonly dryRun: boolean;
  readonly all: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (soFar: BulkReport) => void;
  readonly perSecond?: number | null;
  readonly limit?: number;
}

type Operate = (service: Service, filter: ReturnType<Asked["at"]>, options: Paced) => Promise<BulkReport>;

async function inBulk(verb: Verb, flags: ChangeFlags, source: Source, out: Out, operate: Operate): Promise<number> {
  const asked = filterOf(flags, POSSIBLE[verb]);
  if (asked.empty && flags.all !== true) {
    const fix = "Give ids, or flags that say which records are meant (--status, --queue, …), or --all.";
    throw usage(`it is not said which records to ${verb}`, fix);
  }
  const pace = {
    ...(flags.perSecond !== undefined && { perSecond: rateOf(flags.perSecond) }),
    ...(flags.limit !== undefined && { limit: wholeOf(flags.limit, "--limit", 1, 1_000_000_000) }),
  };
  const dryRun = flags.yes !== true;
  return onExisting(source, async ({ service, now }) => {
    const stop = new AbortController();
    const interrupted = (): void => {
      say("sidereal: stopping after this batch; a second signal leaves at once");
      stop.abort();
    };
    process.once("SIGINT", interrupted).once("SIGTERM", interrupted);
    try {
      const onProgress = progress(verb);
      const options = { ...pace, dryRun, all: true, signal: stop.signal, onProgress };
      const report = await operate(service, asked.at(now), options);
      out(flags.json === true ? jsonOf(report) : reportTable(report));
      if (dryRun) say(`nothing was changed: this was the count; add --yes to ${verb} them`);
      else if (!report.complete) say("not all that match were seen; call it again to go on");
      return report.failed > 0 || stop.signal.aborted ? EXIT.failed : EXIT.done;
    } finally {
      process.off("SIGINT", interrupted).off("SIGTERM", interrupted);
    }
  });
}

/** Tells how far it is, once per thousand. */
function progress(verb: Verb): (soFar: BulkReport) => void {
  let told = 0;
  return ({ matched, changed }) => {
    if (matched < told + 1_000) return;
    told = matched;
    say(`${verb}: ${matched} seen, ${changed} changed`);
  };
}

function reportTable({ dryRun, matched, changed, skipped, failed }: BulkReport): string {
  const rows = [
    ["matched", matched],
    ...(dryRun
      ? []
      : [
          ["changed", changed],
          ["skipped", skipped],
          ["failed", failed],
        ]),
  ];
  return tableOf(
    [{ title: "Records" }, { title: "Count", align: "right" }],
    rows.map((row) => row.map(String)),
  );
}

function rateOf(text: string): number | null {
  if (text === "unlimited") return null;
  const rate = /^\d{1,6}(?:\.\d{1,3})?$/u.test(text) ? Number(text) : 0;
  if (rate >= 0.01 && rate <= 100_000) return rate;
  throw usage(`--per-second is ${JSON.stringify(text)}`, "Give a number from 0.01 to 100000, or unlimited.");
}
