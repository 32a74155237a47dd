/** What the declaration of a command is given: how to reach the application and the terminal, and how to end. */
import type { Command } from "commander";
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

/** For a group with a default command, which would take a misspelled command for an argument of its own. */
export function refuseUnknown(group: Command): void {
  group.hook("preSubcommand", () => {
    const [word] = group.args;
    const names = group.commands.map((command) => command.name());
    if (word === undefined || word.startsWith("-") || names.includes(word)) return;
    // The parser knows what to say about it where no command is the default.
    const twin = group.createCommand(group.name()).copyInheritedSettings(group);
    for (const name of names) twin.command(name);
    twin.parse([word], { from: "user" });
  });
}
