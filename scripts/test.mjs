// `npm test`: check, build, compile the tests, then every test on the Node that runs npm and on a current one.
import { compileTests } from "./compile-tests.mjs";
import { currentNode } from "./current-node.mjs";
import { root, run } from "./process.mjs";
import { countsLine, findTests, printFailures, runTests } from "./run-tests.mjs";
import { provideServers } from "./test-servers.mjs";

/** @param {string} title */
function heading(title) {
  process.stdout.write(`\n— ${title}\n`);
}

/**
 * Ends the run with the closing line when a step before the tests fails.
 * @param {string} step
 * @returns {never}
 */
function giveUp(step) {
  process.stdout.write(`\n✗ ${step} failed; no test was run.\n\n0 passed, 1 failed\n`);
  process.exit(1);
}

/** @param {string} script */
async function npmRun(script) {
  heading(`npm run ${script}`);
  const npm = process.env.npm_execpath;
  const { code } = npm
    ? await run(process.execPath, [npm, "run", "--silent", script], { cwd: root })
    : await run("npm", ["run", "--silent", script], { cwd: root });
  if (code !== 0) giveUp(`npm run ${script}`);
}

await npmRun("check");
await npmRun("build");
heading("compile the tests");
const compiled = await compileTests();
process.stdout.write(compiled.output);
if (!compiled.ok) giveUp("compiling the tests");

const here = { version: process.versions.node, path: process.execPath };
const current = await currentNode().catch((error) => {
  process.stdout.write(`${error.message}\n`);
  return giveUp("installing a current Node");
});
const { output: version } = await run(current, ["-p", "process.versions.node"], { capture: true });
const runtimes = [here, { version: version.trim(), path: current }];
if (runtimes[1]?.version.split(".")[0] === here.version.split(".")[0]) runtimes.pop();

const dismissServers = await provideServers();
const files = await findTests();
const total = { passed: 0, failed: 0, skipped: 0 };
const lines = [];
for (const { version, path } of runtimes) {
  heading(`${files.length} test files on Node ${version}`);
  const summary = await runTests(path, files);
  printFailures(summary);
  lines.push(`Node ${version}: ${countsLine(summary)}`);
  total.passed += summary.passed;
  total.failed += summary.failed;
  total.skipped += summary.skipped;
}
await dismissServers();
process.stdout.write(`\n${lines.join("\n")}\n\n${countsLine(total)}\n`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
