/** What a planted bug is, and the files that they are planted in. */

/** A bug: what is wrong with the store, and the edits that make it so. */
export interface PlantedBug {
  readonly what: string;
  /** Below `src`, compiled. */
  readonly file: string;
  /** Text that occurs exactly once, and what takes its place. */
  readonly edits: readonly (readonly [from: string, to: string])[];
  /** Why a walk need not notice: it is one caller on one steady clock. Without this the walk alone must notice, too. */
  readonly walkBlind?: string;
}

export const STORE = "backends/memory/index.js";
export const READY = "backends/memory/ready.js";
export const LIFECYCLE = "model/lifecycle.js";
export const CLOCK = "model/store-clock.js";
export const ORDER = "model/order.js";

/** A bug of one edit. */
export const bug = (what: string, file: string, from: string, to: string, walkBlind?: string): PlantedBug => ({
  what,
  file,
  edits: [[from, to]],
  ...(walkBlind === undefined ? {} : { walkBlind }),
});
