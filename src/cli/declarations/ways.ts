/** What the declaration of a command is given: how to reach the application and the terminal, and how to end. */
import type { Source } from "../load.ts";

export interface Ways {
  /** Where the command finds its queues, by the options that all commands share. */
  readonly source: () => Source;
  /** Runs a command's action, which answers the exit code; whatever it throws is told on one screen. */
  readonly perform: (action: () => Promise<number>) => Promise<void>;
  /** Writes data to stdout. */
  readonly out: (text: string) => void;
}

/** For an option that may be repeated: the values so far. */
export const collect = (value: string, before: readonly string[] | undefined): readonly string[] => [
  ...(before ?? []),
  value,
];
