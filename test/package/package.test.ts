/** What would be published, seen from outside: the packed files, a stranger's install, types and plain JavaScript. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { it } from "node:test";
import { root } from "../architecture/source.ts";

it("npm run check:package passes on the built package", () => {
  const script = join(root, "scripts/check-package.mjs");
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, "--built"], { cwd: root, encoding: "utf8" });
  assert.equal(status, 0, `\n${stdout}${stderr}`);
});
