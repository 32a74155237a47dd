/** Bugs planted into the store of the chaos processes: a harness that cannot fail proves nothing. */
import type { Change } from "../../src/contracts/queue-backend.ts";
import { stamped } from "../../src/model/lifecycle.ts";
import type { Store } from "./witness.ts";

/**
 * `finish-unguarded`: an owner's finish is accepted whoever owns the record by then. `reap-unguarded`: recovery takes
 * running records without looking at their leases. `ack-before-commit`: an enqueue is answered before it is stored.
 */
export type PlantedBug = "finish-unguarded" | "reap-unguarded" | "ack-before-commit";

export const PLANTED_BUGS: readonly PlantedBug[] = ["finish-unguarded", "reap-unguarded", "ack-before-commit"];

/** How long the third bug answers too early, ms. */
const LATE = 500;

export function planted(store: Store, bug: PlantedBug | null): Store {
  const own: Partial<Store> = bug === null ? {} : faulty(store, bug);
  return new Proxy(store, {
    get: (target, name) => {
      if (Object.hasOwn(own, name)) return own[name as keyof Store];
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

function faulty(store: Store, bug: PlantedBug): Partial<Store> {
  switch (bug) {
    case "finish-unguarded":
      return {
        apply: async (changes) => store.apply(await Promise.all(changes.map((change) => unguarded(store, change)))),
      };
    case "reap-unguarded":
      return {
        find: async (query) => {
          if (query.by !== "lapsed") return store.find(query);
          return (await store.page({ ...query, order: "oldest", states: ["running"] })).records;
        },
        apply: (changes) => store.apply(changes.map(({ from, to }) => ({ from, to }))),
      };
    case "ack-before-commit":
      return {
        insert: async (drafts) => {
          const now = await store.now();
          setTimeout(() => void store.insert(drafts), LATE);
          return drafts.map((draft) => ({ created: true, record: stamped(draft, now) }));
        },
      };
  }
}

/** The same change, made from whatever is stored now. */
async function unguarded(store: Store, change: Change): Promise<Change> {
  const { from, to, lapsed } = change;
  if (lapsed || to === null || from.state !== "running" || to.state === "running") return change;
  const [current] = await store.find({ by: "id", ids: [from.id] });
  if (current === undefined || current.version === from.version) return change;
  return { from: current, to: { ...to, version: current.version + 1 } };
}
