/** docs/lifecycle.md is made from the table of transitions: a change of the table changes the document. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { LIMITS, TRANSITIONS } from "../../src/model/lifecycle.ts";
import { root } from "../architecture/source.ts";

function document(): string {
  const arrows = new Map<string, Set<string>>();
  for (const { verb, from, to } of TRANSITIONS) {
    const arrow = `${from ?? "[*]"} --> ${to}`;
    arrows.set(arrow, (arrows.get(arrow) ?? new Set()).add(verb));
  }
  const rows = TRANSITIONS.map(
    ({ verb, from, to, who, when }) => `| ${verb} | ${from ?? "–"} | ${to} | ${who} | ${when} |`,
  );
  return `# The life of a record

Made from the table in \`src/model/lifecycle.ts\` (\`UPDATE_DOCS=1 npm run test:unit -- docs/lifecycle\` writes it anew). Anything that is not
here is refused with ILLEGAL_TRANSITION. \`scheduled\` is no state: it is \`pending\` with a time to come, so nothing has to move it.

\`\`\`mermaid
stateDiagram-v2
${[...arrows].map(([arrow, verbs]) => `  ${arrow}: ${[...verbs].join(", ")}`).join("\n")}
\`\`\`

| verb | from | to | who | when |
| --- | --- | --- | --- | --- |
${rows.join("\n")}

Four budgets are counted apart. Errors spend the task's \`retries\`. A record whose worker was lost ${LIMITS.losses} times while it ran fails with the
reason \`poison\`; after ${LIMITS.interruptions} hand-backs by shutdowns it fails as \`interrupted\`, after ${LIMITS.snoozes.toLocaleString("en")} snoozes as \`snoozed\`. A deploy or a snooze never
spends a retry. A record that was cancelled while it ran is not retried, whatever happens to its attempt.
`;
}

it("docs/lifecycle.md is what the table says", () => {
  const path = join(root, "docs/lifecycle.md");
  if (process.env["UPDATE_DOCS"] === "1") writeFileSync(path, document());
  assert.equal(readFileSync(path, "utf8"), document());
});
