/** What must hold of every record, whatever fails; the tests of the suite name the invariants they guard by these numbers. */
/** The invariants, in words. */
export const INVARIANTS = {
  I1: "an acknowledged enqueue is visible to every later claim until the record ends",
  I2: "a record reaches exactly one terminal state and leaves it only by revival or removal",
  I3: "of one record, the version grows with every write, and the fence (startedAt) with every claim",
  I4: "an owner's write is applied only if version and claim match: at most one outcome per claim",
  I5: "once a record was claimed again, no write of an earlier claim is applied",
  I6: "state, result, error and the freed uniqueness key are visible together, or not at all",
  I7: "repeating a call after an unknown outcome gives the first outcome's answer",
  I8: "a record whose owner stopped renewing can be taken over once its lease is over",
  I9: "a claim takes no more records of a queue than its limit",
  I10: "no budget (retries, losses, interruptions, snoozes) is passed, and none spends another's",
  I11: "one live record per uniqueness key, one holder per reservation",
  I12: "the events of a record are numbered without a gap and the last one is terminal",
  I13: "a record that is gone is not made again by an owner, a reaper or a renewal",
  I14: "no decision rests on a hint, a cache or a reply alone",
  I15: "content can fail its own record only, and recording that cannot fail for the same cause",
  I16: "nothing waits for ever: a call that cannot be served is refused",
  I17: "with the store healthy, work goes on without a restart and nothing hides ready work",
  I18: "names, keys and payloads are data: never code, patterns, paths or identifiers",
  I19: "secrets never appear in records, logs or errors",
  I20: "a worker that cannot claim says so",
} as const;

/** The number of an invariant. */
export type Invariant = keyof typeof INVARIANTS;
