/** Turning whatever a handler threw into something that can always be stored: recording a failure must not fail. */
import type { Millis, TaskFailure } from "../model/record.ts";

const NAME = 200;
const MESSAGE = 6_000;
const STACK = 16_000;
const CAUSES = 3;

/**
 * What is kept of a thrown value: at most 32 KiB, well-formed text, no NUL. Getters that throw, values that are no
 * errors, endless messages and circular causes are all survived.
 */
export function describeFailure(thrown: unknown, attempt: number, at: Millis): TaskFailure {
  return {
    name: clean(read(thrown, "name") ?? kind(thrown), NAME),
    message: clean(messageOf(thrown), MESSAGE),
    stack: stackOf(thrown),
    code: optional(read(thrown, "code"), NAME),
    attempt,
    at,
  };
}

/** The name that an error gives itself, or null; never throws. */
export function errorName(thrown: unknown): string | null {
  return read(thrown, "name");
}

/** Text cut to a length, without what a store or terminal could not take. */
export function clean(text: string, most: number): string {
  const cut = text.length > most ? `${text.slice(0, most - 1)}…` : text;
  return cut.replace(/[\0\p{Surrogate}]/gu, "\uFFFD");
}

function messageOf(thrown: unknown): string {
  const message = read(thrown, "message");
  if (message !== null) return message;
  if (typeof thrown === "string") return thrown;
  return `a value that is not an error was thrown: ${shown(thrown)}`;
}

function stackOf(thrown: unknown): string | null {
  const stack = read(thrown, "stack");
  if (stack === null) return null;
  const parts = [clean(stack, STACK / 2)];
  let inner = member(thrown, "cause");
  for (let depth = 0; depth < CAUSES && inner !== undefined && inner !== null; depth += 1) {
    parts.push(`Caused by: ${clean(read(inner, "stack") ?? messageOf(inner), STACK / 8)}`);
    inner = member(inner, "cause");
  }
  return clean(parts.join("\n"), STACK);
}

function read(value: unknown, name: string): string | null {
  const found = member(value, name);
  if (typeof found === "string") return found;
  return typeof found === "number" ? String(found) : null;
}

function member(value: unknown, name: string): unknown {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return undefined;
  try {
    return (value as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}

function optional(text: string | null, most: number): string | null {
  return text === null ? null : clean(text, most);
}

function kind(thrown: unknown): string {
  return thrown === null ? "null" : typeof thrown === "object" ? "Object" : typeof thrown;
}

function shown(value: unknown): string {
  try {
    return (typeof value === "object" ? JSON.stringify(value)?.slice(0, 500) : String(value)) ?? kind(value);
  } catch {
    return kind(value);
  }
}
