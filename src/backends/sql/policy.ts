/** A task's policy as the list of its values: short, since every row carries it. */
import type { JsonText, TaskPolicy } from "../../model/record.ts";

/** Most records share a handful of policies, so each text is read once and each object written once. */
const REMEMBERED = 1_000;
const policies = new Map<string, TaskPolicy>();
const texts = new WeakMap<TaskPolicy, JsonText>();

/** The text of a policy. */
export function policyText(policy: TaskPolicy): JsonText {
  const known = texts.get(policy);
  if (known !== undefined) return known;
  const { retries, timeout, requeueOnShutdown } = policy;
  const { kind, delay, factor, maxDelay, jitter } = policy.backoff;
  const text = JSON.stringify([retries, kind, delay, factor, maxDelay, jitter, timeout, requeueOnShutdown ? 1 : 0]);
  texts.set(policy, text);
  return text;
}

/** The policy in a text; undefined if there is none in it. */
export function policyIn(text: string): TaskPolicy | undefined {
  const known = policies.get(text);
  if (known !== undefined) return known;
  const policy = parsed(text);
  if (policy === undefined) return undefined;
  if (policies.size >= REMEMBERED) policies.clear();
  policies.set(text, policy);
  return policy;
}

function parsed(text: string): TaskPolicy | undefined {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    return undefined;
  }
  const values: unknown[] = Array.isArray(list) ? list : [];
  const [retries, kind, delay, factor, maxDelay, jitter, timeout, requeue] = values;
  const numbers = [retries, delay, factor, maxDelay, jitter].every((value) => typeof value === "number");
  const known = kind === "fixed" || kind === "linear" || kind === "exponential" || kind === "custom";
  if (!numbers || !known || !(timeout === null || typeof timeout === "number")) return undefined;
  const backoff = { kind, delay, factor, maxDelay, jitter } as TaskPolicy["backoff"];
  return { retries: retries as number, backoff, timeout, requeueOnShutdown: requeue === 1 };
}
