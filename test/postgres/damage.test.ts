/** Damaged rows of the PostgreSQL store. */

import { exerciseDamage } from "../sql/damage.ts";
import { server } from "./bench.ts";

exerciseDamage(server, ["state = 9", "state = -1", "ready_at = 9007199254740993", "ready_at = -9007199254740993"]);
