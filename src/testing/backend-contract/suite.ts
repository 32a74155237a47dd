/** All tests of the suite, in the order in which a new store is best made to pass them. */
import type { ContractCase } from "./case.ts";
import { advance } from "./cases/advance.ts";
import { applyBatches } from "./cases/apply-batches.ts";
import { applyGuards } from "./cases/apply-guards.ts";
import { claimFilters } from "./cases/claim-filters.ts";
import { claimOrder } from "./cases/claim-order.ts";
import { claimOwnership } from "./cases/claim-ownership.ts";
import { content } from "./cases/content.ts";
import { find } from "./cases/find.ts";
import { holds } from "./cases/holds.ts";
import { insert } from "./cases/insert.ts";
import { lineage } from "./cases/lineage.ts";
import { opening } from "./cases/opening.ts";
import { page } from "./cases/page.ts";
import { prune } from "./cases/prune.ts";
import { races } from "./cases/races.ts";
import { renew } from "./cases/renew.ts";
import { replies } from "./cases/replies.ts";
import { scheduleRaces } from "./cases/schedule-races.ts";
import { schedules } from "./cases/schedules.ts";
import { sharing } from "./cases/sharing.ts";
import { signals } from "./cases/signals.ts";
import { tally } from "./cases/tally.ts";
import { time } from "./cases/time.ts";
import { transactions } from "./cases/transactions.ts";

export const contractCases: readonly ContractCase[] = [
  ...opening,
  ...time,
  ...insert,
  ...find,
  ...page,
  ...content,
  ...lineage,
  ...claimOrder,
  ...claimFilters,
  ...claimOwnership,
  ...applyGuards,
  ...applyBatches,
  ...renew,
  ...tally,
  ...prune,
  ...holds,
  ...schedules,
  ...advance,
  ...signals,
  ...sharing,
  ...transactions,
  ...races,
  ...scheduleRaces,
  ...replies,
];
