/** `sidereal explain`: why a record is where it is, and what to do. */
import type { Explanation } from "../../index.ts";
import { safe } from "../console.ts";
import { onExisting } from "../existing.ts";
import { EXIT } from "../exits.ts";
import { Fault } from "../faults.ts";
import type { Source } from "../load.ts";
import { isoOf } from "../values.ts";

export interface ExplainFlags {
  readonly json?: boolean;
}

/** Prints the causes, the most decisive first. @throws Fault where no record has the id */
export async function explain(
  id: string,
  flags: ExplainFlags,
  source: Source,
  out: (text: string) => void,
): Promise<number> {
  return onExisting(source, async ({ service }) => {
    const explanation = await service.explain(id);
    if (explanation === null) throw notFound(id);
    out(flags.json === true ? `${JSON.stringify({ ...explanation, at: isoOf(explanation.at) })}\n` : text(explanation));
    return EXIT.done;
  });
}

function text({ id, taskName, queue, status, causes }: Explanation): string {
  const head = `${id}  ${taskName}  ${status}, in queue ${queue}`;
  const body = causes.map(({ sentence, advice }) => `\n- ${sentence}\n  ${advice}`);
  return `${safe([head, ...body].join("\n"))}\n`;
}

function notFound(id: string): Fault {
  return new Fault({
    exit: EXIT.failed,
    what: `no record has the id ${JSON.stringify(id)}`,
    why: ["it was never enqueued here, or retention removed it after it had ended"],
    fix: "Check the id, and that --app names the application that enqueued it.",
    code: "RECORD_GONE",
  });
}
