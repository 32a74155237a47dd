/** Values within a statement's text: digits, and bytes in hex, which no mode of the server reads otherwise. */
import { stored } from "../sql/text.ts";

/** A text. */
export function quoted(text: string): string {
  return bytes(stored(text));
}

/** A text that is stored like this already. */
export function bytes(text: string): string {
  return `x'${Buffer.from(text, "utf8").toString("hex")}'`;
}

/** A whole number. */
export function whole(value: number): string {
  if (Number.isSafeInteger(value)) return String(value);
  throw new RangeError(`${value} is not a whole number`);
}

/** A list of texts in parentheses; an empty one holds nothing. */
export function among(texts: readonly string[]): string {
  return texts.length === 0 ? "(null)" : `(${texts.map(quoted).join(", ")})`;
}
