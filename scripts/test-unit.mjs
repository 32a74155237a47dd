// `npm run test:unit -- [--current] [--verbose] [PATTERN...]`: the developer's loop, one runtime, matching files only.
// A type error elsewhere in the tree is printed but does not stop the tests; `npm test` is strict.
import { compileTests } from "./compile-tests.mjs";
import { currentNode } from "./current-node.mjs";
import { countsLine, findTests, printFailures, runTests } from "./run-tests.mjs";
import { provideServers } from "./test-servers.mjs";

const options = process.argv.slice(2);
const patterns = options.filter((option) => !option.startsWith("--"));
const files = await findTests(patterns);
if (files.length === 0) {
  process.stdout.write(`No test file matches ${patterns.join(", ") || "test/**/*.test.ts"}.\n`);
  process.exit(1);
}
const { ok, output } = await compileTests();
if (!ok) process.stdout.write(`${output}Type errors above; running what was emitted.\n`);
const dismissServers = await provideServers();
const node = options.includes("--current") ? await currentNode() : process.execPath;
const summary = await runTests(node, files, { verbose: options.includes("--verbose") });
await dismissServers();
printFailures(summary);
process.stdout.write(`\n${countsLine(summary)}\n`);
process.exitCode = summary.failed === 0 && summary.passed > 0 ? 0 : 1;
