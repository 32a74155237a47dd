/** What a worker process writes to its stderr, on its way into the server's log: a level, a text, and no secrets. */
import type { Logger } from "../index.ts";

type Level = keyof Logger;

export interface Line {
  readonly level: Level;
  readonly text: string;
}

const LEVELLED = /^(?:sidereal )?(?<level>debug|info|warn|error)(?:ing)?: (?<text>.*)$/iu;

/** Reads one line: what begins with a level has it, others are taken as information. */
export function readLine(line: string): Line {
  const { level = "info", text = line } = LEVELLED.exec(line)?.groups ?? {};
  return { level: level.toLowerCase() as Level, text: withoutSecrets(text) };
}

/** Blanks passwords in addresses, and the values of settings that are called like secrets. */
export function withoutSecrets(text: string): string {
  return text
    .replaceAll(/([a-z][a-z\d+.-]*:\/\/)[^\s/@"'`]+@/giu, "$1***@")
    .replaceAll(
      /\b([\w-]*(?:passwor[dt]|passwd|secret|token|api[_-]?key|credential)\w*["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;}]+)/giu,
      "$1***",
    );
}
