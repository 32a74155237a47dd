/** Real processes as the supervisor gets them: lines, messages, the end, and signals that reach what they started. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ChildProcess, Exit } from "../../src/contracts/spawn.ts";
import { systemSpawner } from "../../src/host/spawn.ts";
import { signal, until } from "./stage.ts";

function started(code: string, file: string = process.execPath) {
  const lines: string[] = [];
  const messages: unknown[] = [];
  const exited = signal<Exit>();
  const child: ChildProcess = systemSpawner.spawn(
    { file, args: ["-e", code], env: { ...process.env, GREETING: "hello" } },
    { line: (text) => lines.push(text), message: (message) => messages.push(message), exit: exited.happen },
  );
  return { child, lines, messages, exit: exited.happened };
}

describe("a real process", () => {
  it("is heard line by line, whatever the pieces, and to the last", async () => {
    const { lines, exit } = started(
      `process.stderr.write("one\\r\\ntw"); process.stderr.write("o\\n\\n" + "x".repeat(20_000) + "\\n" + process.env.GREETING)`,
    );
    assert.deepEqual(await exit, { code: 0, signal: null });
    assert.deepEqual(lines, ["one", "two", "x".repeat(8_192), "hello"]);
  });

  it("talks both ways, and is not sent anything once it is gone", async () => {
    const { child, messages, exit } = started(
      `process.once("message", (m) => process.send({ back: m }, () => process.exit(3)))`,
    );
    child.send({ type: "stop" });
    assert.deepEqual(await exit, { code: 3, signal: null });
    assert.deepEqual(messages, [{ back: { type: "stop" } }]);
    child.send({ type: "stop" });
    child.kill("SIGKILL");
  });

  it("that cannot be started ends with the reason", async () => {
    const { child, exit } = started("", "/no/such/program");
    assert.equal(child.pid, undefined);
    child.kill("SIGTERM");
    assert.match(String((await exit).error), /ENOENT/);
  });

  it("takes what it started with it", { skip: process.platform === "win32" }, async () => {
    const { child, lines, exit } = started(
      `const inner = require("node:child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "inherit" });
       process.stderr.write(inner.pid + "\\n"); setInterval(() => {}, 1000)`,
    );
    await until("the inner process runs", () => lines.length > 0);
    child.kill("SIGKILL");
    assert.deepEqual(await exit, { code: null, signal: "SIGKILL" });
    assert.equal(lines.length, 1);
    await until("the inner process is gone", () => {
      try {
        return !process.kill(-(child.pid as number), 0);
      } catch {
        return true;
      }
    });
  });
});
