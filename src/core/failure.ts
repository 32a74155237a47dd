/** Turning whatever a handler threw into something that can always be stored: recording a failure must not fail. */
import type { Millis, TaskFailure } from "../model/record.ts";

/** Bytes of each part as JSON; together they stay below 32 KiB. */
const BYTES = { name: 600, message: 10_000, stack: 20_000, code: 600 } as const;
const CAUSES = 3;

/**
 * What is kept of a thrown value: at most 32 KiB as JSON, well-formed text, no NUL. Getters that throw, values that
 * are no errors, endless messages and circular causes are all survived.
 */
export function describeFailure(thrown: unknown, attempt: number, at: Millis): TaskFailure {
  const code = read(thrown, "code");
  return {
    name: cleanBytes(read(thrown, "name") || kind(thrown), BYTES.name),
    message: cleanBytes(messageOf(thrown), BYTES.message),
    stack: stackOf(thrown),
    code: code === null ? null : cleanBytes(code, BYTES.code),
    attempt,
    at,
  };
}

/** A failure whose texts came from elsewhere, cut and cleaned like those of a thrown value. */
export function keptFailure({ name, message, stack, code, attempt, at }: TaskFailure): TaskFailure {
  return {
    name: cleanBytes(name, BYTES.name),
    message: cleanBytes(message, BYTES.message),
    stack: stack === null ? null : cleanBytes(stack, BYTES.stack),
    code: code === null ? null : cleanBytes(code, BYTES.code),
    attempt,
    at,
  };
}

/** Whether a thrown value is of the class, of a class below it, or of another copy of it; never throws. */
export function isKind<T extends Error>(thrown: unknown, kind: abstract new (...args: never) => T): thrown is T {
  try {
    return thrown instanceof kind || errorName(thrown) === kind.name;
  } catch {
    return false;
  }
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

/** As `clean`, with a limit on the bytes that the text takes as JSON. */
export function cleanBytes(text: string, most: number): string {
  let kept = clean(text, most);
  for (let size = jsonSize(kept); size > most; size = jsonSize(kept)) {
    kept = clean(kept, Math.max(1, Math.floor((kept.length * most * 0.99) / size)));
  }
  return kept;
}

const jsonSize = (text: string): number => Buffer.byteLength(JSON.stringify(text));

function messageOf(thrown: unknown): string {
  const message = read(thrown, "message");
  if (message !== null) return message;
  if (typeof thrown === "string") return thrown;
  return `a value that is not an error was thrown: ${shown(thrown)}`;
}

function stackOf(thrown: unknown): string | null {
  const stack = read(thrown, "stack");
  if (stack === null) return null;
  const parts = [cleanBytes(stack, BYTES.stack / 2)];
  let inner = member(thrown, "cause");
  for (let depth = 0; depth < CAUSES && inner !== undefined && inner !== null; depth += 1) {
    parts.push(`Caused by: ${cleanBytes(read(inner, "stack") ?? messageOf(inner), BYTES.stack / 8)}`);
    inner = member(inner, "cause");
  }
  return cleanBytes(parts.join("\n"), BYTES.stack);
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

function kind(thrown: unknown): string {
  return thrown === null ? "null" : typeof thrown === "object" ? "Object" : typeof thrown;
}

/** Any value as text of at most so many characters, looked at no further than these need; never throws. */
export function shown(value: unknown, most = 500): string {
  try {
    if (typeof value !== "object" || value === null) return clean(String(value), most);
    let parts = 0;
    const text = JSON.stringify(value, (_, inner: unknown) => {
      parts += 1;
      if (parts > most) return undefined;
      return typeof inner === "string" ? clean(inner, most) : inner;
    });
    return text === undefined ? kind(value) : clean(text, most);
  } catch {
    return kind(value);
  }
}
