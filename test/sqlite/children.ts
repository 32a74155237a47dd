/** Starting the scripts in `children/`, and talking to them. */
import { type ChildProcess, type ForkOptions, fork } from "node:child_process";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

/** Starts a script; it is killed after the test if it still runs. */
export function start(
  test: TestContext,
  script: string,
  args: readonly string[],
  options: ForkOptions = {},
): ChildProcess {
  const path = fileURLToPath(new URL(`./children/${script}.js`, import.meta.url));
  const child = fork(path, args, { execArgv: ["--enable-source-maps"], ...options });
  test.after(() => child.kill("SIGKILL"));
  return child;
}

/** The next message of a child; rejects if it ends without one. */
export async function answer<T>(child: ChildProcess): Promise<T> {
  const ended = once(child, "exit").then(([code, signal]) => {
    throw new Error(`the child ended without an answer (${signal ?? code})`);
  });
  const [message] = (await Promise.race([once(child, "message"), ended])) as [T];
  ended.catch(() => {});
  return message;
}

/** Tells `single` what to do and waits until it is done. */
export async function tell(child: ChildProcess, command: string): Promise<{ done?: unknown; code?: string }> {
  const answered = answer<{ done?: unknown; code?: string }>(child);
  child.send(command);
  return answered;
}
