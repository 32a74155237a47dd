// A node:test reporter for machines: one JSON line per finished test, read by run-tests.mjs.
import { inspect } from "node:util";

/** @typedef {{ kind: "pass" | "fail" | "skip", name: string, reason?: string, error?: string }} Outcome */

/**
 * The error as a person wants it: the message with its diff, the frames of our code, the cause; not the runner's own.
 * @param {any} error
 */
function explain(error) {
  const cause = error?.code === "ERR_TEST_FAILURE" && error.cause !== undefined ? error.cause : error;
  if (typeof cause === "string") return cause;
  const plain = cause?.code === "ERR_ASSERTION" && typeof cause.stack === "string";
  const text = plain ? cause.stack : inspect(cause, { depth: 4, maxStringLength: 4000, maxArrayLength: 40 });
  return text.replaceAll(/\n\s+at [^\n]*\bnode:(?:internal|async_hooks)\b[^\n{]*/g, "");
}

/** @param {AsyncIterable<{ type: string, data: any }>} events */
export default async function* reporter(events) {
  /** @type {string[]} the names of the tests and suites that enclose the current one, by nesting */
  const path = [];
  for await (const { type, data } of events) {
    if (type === "test:start") path[data.nesting] = data.name;
    if (type !== "test:pass" && type !== "test:fail") continue;
    const suite = data.details?.type === "suite";
    const name = [...path.slice(0, data.nesting), data.name].join(" > ");
    /** @type {Outcome | undefined} */
    let outcome;
    if (type === "test:fail" && data.todo === undefined) {
      const error = data.details?.error;
      // A parent fails because a subtest did: that subtest has already been reported.
      if (!(suite && error?.failureType === "subtestsFailed")) outcome = { kind: "fail", name, error: explain(error) };
    } else if (data.skip !== undefined || data.todo !== undefined) {
      const reason = data.skip ?? data.todo;
      outcome = { kind: "skip", name, reason: typeof reason === "string" ? reason : "" };
    } else if (!suite) outcome = { kind: "pass", name };
    if (outcome) yield `${JSON.stringify(outcome)}\n`;
  }
}
