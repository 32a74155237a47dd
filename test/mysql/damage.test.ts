/** Damaged rows of the MySQL store. */
import { after } from "node:test";
import { exerciseDamage } from "../sql/damage.ts";
import { server, sweep } from "./bench.ts";

after(sweep);

exerciseDamage(server, [
  "state = 9",
  "state = -1",
  "ready_at = 9007199254740993, at = ready_at",
  "ready_at = -9007199254740993, at = ready_at",
]);
