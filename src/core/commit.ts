/**
 * Group commit: whatever was asked for while the last write was under way goes into the next one together. No timer
 * and no setting; each caller still waits until its own item is stored.
 */
import { SiderealError } from "../model/errors.ts";

interface Waiting<Item, Answer> {
  readonly item: Item;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

export interface GroupCommitOptions<Item, Answer> {
  /** Writes a batch and answers in its order. */
  readonly write: (items: readonly Item[]) => Promise<readonly Answer[]>;
  /** Largest batch. */
  readonly limit: number;
  /** When to begin a write after the first item: later gathers more, sooner answers earlier. */
  readonly defer: (flush: () => void) => void;
}

export class GroupCommit<Item, Answer> {
  readonly #options: GroupCommitOptions<Item, Answer>;
  #waiting: Waiting<Item, Answer>[] = [];
  #writing = false;
  #idle: (() => void)[] = [];

  constructor(options: GroupCommitOptions<Item, Answer>) {
    this.#options = options;
  }

  /** Resolves once the item is written, with its own answer. */
  add(item: Item): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (this.#writing) return;
      this.#writing = true;
      this.#options.defer(() => void this.#flush());
    });
  }

  /** Resolves when nothing is waiting or being written. */
  async idle(): Promise<void> {
    if (this.#writing) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const { limit } = this.#options;
      const batch = this.#waiting.length <= limit ? this.#waiting : this.#waiting.slice(0, limit);
      this.#waiting = batch === this.#waiting ? [] : this.#waiting.slice(limit);
      await this.#write(batch);
    }
    this.#writing = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #write(batch: readonly Waiting<Item, Answer>[]): Promise<void> {
    try {
      const answers = await this.#options.write(batch.map((waiting) => waiting.item));
      for (let at = 0; at < batch.length; at += 1) batch[at]?.resolve(answers[at] as Answer);
    } catch (error) {
      // A failure for good may be one item's fault: let it fail alone.
      if (batch.length > 1 && !(error instanceof SiderealError && error.retryable)) {
        for (const waiting of batch) await this.#write([waiting]);
        return;
      }
      for (const waiting of batch) waiting.reject(error);
    }
  }
}
