/** The deployment guide: every stop time-out is longer than the drain beside it, and systemd accepts the unit. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { readDocument } from "../docs/markdown.ts";

const guide = readDocument("docs/deployment.md");
const block = (language: string): string =>
  new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, "m").exec(guide)?.[1] ?? "";
const number = (text: string, pattern: RegExp): number => Number(pattern.exec(text)?.[1]);
const DRAIN = /--drain-timeout"?,? "?(\d+)/;
/** What a stop takes beside the drain: the abort, the last writes, the closing of store and application. */
const REST = 5 + 5 + 10;

describe("the deployment guide", () => {
  const stops: readonly (readonly [what: string, drain: string, stop: number])[] = [
    ["systemd", block("ini"), number(block("ini"), /TimeoutStopSec=(\d+)/)],
    ["the container", block("dockerfile"), number(guide, /--stop-timeout (\d+)/)],
    ["Compose", block("dockerfile"), number(guide, /stop_grace_period: (\d+)s/)],
    ["Kubernetes", block("yaml"), number(block("yaml"), /terminationGracePeriodSeconds: (\d+)/)],
  ];
  for (const [what, drain, stop] of stops) {
    it(`lets a worker drain under ${what}`, () => {
      const seconds = number(drain, DRAIN);
      assert.ok(seconds > 0 && stop > seconds + REST, `drains ${seconds} s, is killed after ${stop} s`);
    });
  }

  const systemd = spawnSync("systemd-analyze", ["--version"]).status === 0;

  it("has a unit that systemd accepts", { skip: !systemd && "no systemd-analyze here" }, () => {
    const folder = mkdtempSync(join(tmpdir(), "sidereal-unit-"));
    try {
      const program = join(folder, "node_modules/.bin/sidereal");
      mkdirSync(join(folder, "node_modules/.bin"), { recursive: true });
      writeFileSync(program, "#!/bin/sh\n");
      chmodSync(program, 0o755);
      const unit = block("ini").replaceAll("/srv/shop", folder).replace("User=shop", "User=root");
      assert.ok(unit.includes(`ExecStart=${program} run`), unit);
      writeFileSync(join(folder, "shop-worker.service"), unit);
      const { status, stderr } = spawnSync("systemd-analyze", ["verify", join(folder, "shop-worker.service")], {
        encoding: "utf8",
      });
      const about = stderr.split("\n").filter((line) => line.includes("shop-worker"));
      assert.equal(about.join("\n"), "");
      assert.equal(status, 0, stderr);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
