/** How `sidereal records …` is called. */
import type { Command } from "commander";
import { collect, type Ways } from "./ways.ts";

export function declareRecords(parent: Command, ways: Ways): void {
  const records = parent.command("records").description("find, show, cancel, revive and retry task records");
  declareList(records, ways);
  declareShow(records, ways);
  declareCancel(records, ways);
  declareRevive(records, ways);
  declareRetry(records, ways);
}

function declareList(records: Command, { source, perform, out }: Ways): void {
  filtered(records.command("list").description("list records, newest first"))
    .option("--limit <n>", "at most so many; default 50")
    .option("--cursor <cursor>", "go on where the page before ended")
    .option("--oldest", "oldest first")
    .option("--json", "print one JSON object: { records, cursor }")
    .addHelpText("after", "\nExit codes: 0, 1 the store could not be read, 64 usage.")
    .action((flags) => perform(async () => (await import("../commands/records.ts")).list(flags, source(), out)));
}

function declareShow(records: Command, { source, perform, out }: Ways): void {
  records
    .command("show <id>")
    .description("show everything about one record")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExit codes: 0, 1 there is no such record, 64 usage.")
    .action((id, flags) =>
      perform(async () => (await import("../commands/records.ts")).show(id, flags, source(), out)),
    );
}

function declareCancel(records: Command, { source, perform, out }: Ways): void {
  bulk(
    records
      .command("cancel [ids...]")
      .description("cancel records that have not finished; running ones are asked to stop"),
  )
    .option("--reason <text>", "kept with each record")
    .action((ids, flags) =>
      perform(async () => (await import("../commands/change-records.ts")).cancel(ids, flags, source(), out)),
    );
}

function declareRevive(records: Command, { source, perform, out }: Ways): void {
  bulk(records.command("revive [ids...]").description("bring failed and cancelled records back to the queue")).action(
    (ids, flags) =>
      perform(async () => (await import("../commands/change-records.ts")).revive(ids, flags, source(), out)),
  );
}

function declareRetry(records: Command, { source, perform, out }: Ways): void {
  records
    .command("retry <ids...>")
    .description("run ended records again, as new records")
    .option("--json", "print one JSON array: { id, outcome, newId }")
    .addHelpText("after", "\nExit codes: 0, 1 an id was not found or has not ended, 64 usage.")
    .action((ids, flags) =>
      perform(async () => (await import("../commands/change-records.ts")).retry(ids, flags, source(), out)),
    );
}

function bulk(command: Command): Command {
  return filtered(command)
    .option("--all", "every record that the command can change")
    .option("--yes", "do it; without it flags only count what they mean")
    .option(
      "--per-second <n>",
      "at most so many changes per second, or unlimited; default: revive 100, cancel unlimited",
    )
    .option("--limit <n>", "at most so many records")
    .option("--json", "print JSON: the report, or of ids an array of { id, outcome }")
    .addHelpText("after", BULK_HELP);
}

const BULK_HELP = `
Give ids, or flags that say which records are meant: these are counted first,
and changed with --yes. Safe to call again after it broke off.
Exit codes: 0, 1 a record was not found, did not allow it or could not be
written, 64 usage.`;

function filtered(command: Command): Command {
  return command
    .option("--status <status>", "pending, scheduled, running, completed, failed, cancelled; may be repeated", collect)
    .option("--queue <name>", "of this queue; may be repeated", collect)
    .option("--task <name>", "of this task; may be repeated", collect)
    .option("--tag <tag>", "with this tag; repeated: with all of them", collect)
    .option("--error <name>", "whose last error is of this class, such as TypeError; may be repeated", collect)
    .option("--ended-by <reason>", "error, timeout, poison, expired, … or a cancel's words; may be repeated", collect)
    .option("--schedule <name>", "made by this schedule; may be repeated", collect)
    .option("--since <time>", "created since then: an ISO time or an age such as 2h")
    .option("--until <time>", "created before then")
    .option("--finished-since <time>", "finished since then")
    .option("--finished-until <time>", "finished before then");
}
