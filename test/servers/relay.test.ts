/** The relay that chaos cuts: whoever used it can end. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { it } from "node:test";
import { fileURLToPath } from "node:url";

it("a relay whose connections were reset while they ended keeps no process alive", { timeout: 30_000 }, async (t) => {
  const entry = fileURLToPath(new URL("./relay-process.js", import.meta.url));
  const child = spawn(process.execPath, [entry], { stdio: ["ignore", "inherit", "inherit"] });
  t.signal.addEventListener("abort", () => child.kill("SIGKILL"));
  const [code] = await once(child, "exit");
  assert.equal(code, 0);
});
