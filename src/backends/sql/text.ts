/**
 * Text that a server would not take. PostgreSQL has no character 0, and no server has half a surrogate pair; JavaScript
 * has both, and a failure whose message holds one must still be recorded. Such characters travel as an escape.
 */

/** Begins an escape; itself escaped, so that every text reads back as it was. */
const ESCAPE = "\u001a";
// biome-ignore lint/suspicious/noControlCharactersInRegex: as said
const ESCAPES = /\u001a[0-9a-f]{4}/gu;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters in question
const UNSAFE = /[\u0000\u001a]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const SUSPECT = /[\u0000\u001a\ud800-\udfff]/;

/** The text as a server takes it. */
export function stored(text: string): string {
  if (!SUSPECT.test(text)) return text;
  return text.replace(UNSAFE, (char) => ESCAPE + char.charCodeAt(0).toString(16).padStart(4, "0"));
}

/** The text as it was. */
export function restored(text: string): string {
  if (!text.includes(ESCAPE)) return text;
  return text.replace(ESCAPES, (written) => String.fromCharCode(Number.parseInt(written.slice(1), 16)));
}
