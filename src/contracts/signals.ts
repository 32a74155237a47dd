/** Wake-ups: hints that may be lost, doubled or early; nothing depends on them but latency. */
import type { Cancel } from "./clock.ts";

export type Hint =
  /** Records became ready. */
  | { readonly about: "work" }
  /** These records reached a terminal state. */
  | { readonly about: "outcome"; readonly ids: readonly string[] }
  /** A running record was asked to stop. */
  | { readonly about: "cancel" }
  /** Something changed; what is not known (another process wrote). */
  | { readonly about: "any" };

export interface Signals {
  /** Calls the listener for every hint until cancelled; a listener must not throw and must return at once. */
  subscribe(listener: (hint: Hint) => void): Cancel;
}
