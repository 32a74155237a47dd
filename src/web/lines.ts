/** What a worker process writes to its stderr, on its way into the server's log: a level, a text, and no secrets. */
import type { Logger } from "../index.ts";

type Level = keyof Logger;

export interface Line {
  readonly level: Level;
  readonly text: string;
}

const OWN = /^sidereal (debug|info|warn|error): (.*)$/u;

/** Reads one line: the package's own carry a level, others are taken as information. */
export function readLine(line: string): Line {
  const own = OWN.exec(line);
  const text = withoutSecrets(own?.[2] ?? line);
  return { level: (own?.[1] as Level | undefined) ?? "info", text };
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
