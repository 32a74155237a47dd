/** A connection that loses calls: the outcome is unknown to the caller, as after a broken network. */
import type { Store } from "./stage.ts";

/** What a caller sees of a lost call. */
export class LostCall extends Error {
  readonly code = "STORE_TIMEOUT";

  constructor(operation: string, lost: "request" | "reply") {
    super(`${operation}: the ${lost} was lost`);
    this.name = "LostCall";
  }
}

/** The store behind a connection that loses every request before, or every reply after, the store has handled it. */
export function unreliable(store: Store, lost: "request" | "reply"): Store {
  return new Proxy(store, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      return async (...facts: unknown[]): Promise<never> => {
        if (lost === "reply") await member.apply(target, facts);
        throw new LostCall(String(name), lost);
      };
    },
  });
}
