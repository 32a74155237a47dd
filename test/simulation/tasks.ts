/**
 * The handlers under simulation. A task is defined once per process of the machine, so what a record's handler does is
 * in its input, and in which simulated process it runs is told by the service it was claimed through.
 */

import type { TaskContext } from "../../src/core/vocabulary.ts";
import { NonRetryableError, RetryAfterError, task } from "../../src/index.ts";
import type { SimProcess } from "./process.ts";

export interface Work {
  readonly kind:
    | "quick"
    | "slow"
    | "deaf"
    | "throws"
    | "hostile"
    | "final"
    | "later"
    | "snoozes"
    | "notes"
    | "blocks"
    | "kills";
  /** How long it takes, ms. */
  readonly ms: number;
  /** How many attempts do what the kind says before one just works. */
  readonly times: number;
}

/** What a completed record's result says about who completed it. */
export interface Result {
  readonly fence: number;
  readonly kind: Work["kind"];
}

const processes = new WeakMap<object, SimProcess>();

/** Tells handlers claimed through this service where they run. */
export function runsIn(service: object, process: SimProcess): void {
  processes.set(service, process);
}

export const work = task("sim.work", handle);
/** The same under another name: two tasks, so that claims filter. */
export const chore = task("sim.chore", handle);

async function handle(input: Work, ctx: TaskContext): Promise<Result> {
  const process = processes.get(ctx.service) as SimProcess;
  const run = process.begin(ctx);
  try {
    await perform(input, ctx, process, run);
    run.effect();
    return { fence: ctx.fence, kind: input.kind };
  } finally {
    run.end();
  }
}

export interface Run {
  /** Waits in small steps, looking after the lease at each. */
  take(ms: number, deaf: boolean): Promise<void>;
  effect(): void;
  end(): void;
}

async function perform({ kind, ms, times }: Work, ctx: TaskContext, process: SimProcess, run: Run): Promise<void> {
  if (kind === "quick") return;
  if (ctx.attempt > times && kind !== "slow" && kind !== "deaf" && kind !== "notes") return run.take(ms, false);
  switch (kind) {
    case "slow":
      return run.take(ms, false);
    case "deaf":
      return run.take(ms, true);
    case "notes":
      for (let step = 1; step <= 4; step += 1) {
        await run.take(ms / 4, false);
        void ctx.progress(step, 4, `step ${step}`);
        if (step % 2 === 0) await ctx.log("step", step);
      }
      return;
    case "throws":
      await run.take(ms, false);
      throw new Error(`fence=${ctx.fence}`);
    case "hostile":
      throw hostile(ctx.attempt);
    case "final":
      throw new NonRetryableError(`fence=${ctx.fence}`);
    case "later":
      throw new RetryAfterError(ms, `fence=${ctx.fence}`);
    case "snoozes":
      return ctx.snooze(ms);
    case "blocks":
      process.block(ms);
      return run.take(1, false);
    case "kills":
      process.crash();
      return run.take(1, true);
  }
}

/** What no handler should throw. */
function hostile(attempt: number): unknown {
  switch (attempt % 4) {
    case 0:
      return null;
    case 1:
      return "text\0with a NUL and \ud800";
    case 2:
      return {
        get message(): string {
          throw new Error("getter");
        },
      };
    default:
      return Object.assign(new Error("x".repeat(100_000)), { cause: 7n });
  }
}
