/** Errors of client libraries, as far as they are alike. */

/** What tells that a connection was lost: codes, and words of messages where there is no code. */
export interface LossSigns {
  readonly codes: RegExp;
  readonly words: RegExp;
}

/** Whether the connection was lost or could not be made, as far as one can tell; clients have no code for each case. */
export function isLost(error: unknown, signs: LossSigns): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  if (typeof code === "string" && signs.codes.test(code)) return true;
  if (error instanceof AggregateError) return error.errors.some((each) => isLost(each, signs));
  return signs.words.test(error.message);
}

/** An error's code, for a message. */
export function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : "no code";
}
