/** The names that users give; they never become code, paths, identifiers or markup. */
import { quoted } from "./duration.ts";
import { SiderealError } from "./errors.ts";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,199}$/u;
const NAMESPACE = /^[a-z_][a-z0-9_]{0,47}$/u;

/** Checks the name of a task or queue. @throws NAME_INVALID */
export function checkName(value: unknown, what: string): string {
  if (typeof value === "string" && NAME.test(value)) return value;
  throw new SiderealError("NAME_INVALID", `${what} is ${quoted(value)}, which is not allowed as a name`);
}

/** Checks the prefix of tables and keys. @throws CONFIG_INVALID */
export function checkNamespace(value: unknown): string {
  if (typeof value === "string" && NAMESPACE.test(value)) return value;
  throw new SiderealError(
    "CONFIG_INVALID",
    `namespace is ${quoted(value)}; allowed are 1 to 48 lower-case letters, digits and _, not beginning with a digit`,
  );
}
