/** A line in order: what arrives in order is kept as it came, only the rest in a heap. */

/** How many places may be empty at the front before the row is cut. */
const EMPTY = 1_024;

export class Line<T extends object> {
  readonly #before: (a: T, b: T) => boolean;
  #row: T[] = [];
  /** Where the row begins; what is before has been taken. */
  #at = 0;
  readonly #heap: T[] = [];

  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before;
  }

  add(item: T): void {
    const last = this.#row.at(-1);
    if (last === undefined || !this.#before(item, last)) this.#row.push(item);
    else this.#push(item);
  }

  get first(): T | undefined {
    const waiting = this.#row[this.#at];
    const top = this.#heap[0];
    return waiting === undefined || (top !== undefined && this.#before(top, waiting)) ? top : waiting;
  }

  /** Takes the first one out. */
  shift(): T | undefined {
    const { first } = this;
    if (first === this.#heap[0]) return this.#pop();
    this.#at += 1;
    if (this.#at === this.#row.length || (this.#at > EMPTY && this.#at * 2 > this.#row.length)) {
      this.#row = this.#row.slice(this.#at);
      this.#at = 0;
    }
    return first;
  }

  /** Every item, in no particular order. */
  *[Symbol.iterator](): Generator<T> {
    for (let at = this.#at; at < this.#row.length; at += 1) yield this.#row[at] as T;
    yield* this.#heap;
  }

  #push(item: T): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as T;
      if (!this.#before(item, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = item;
  }

  #pop(): T | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && this.#before(heap[child + 1] as T, heap[child] as T)) child += 1;
      if (!this.#before(heap[child] as T, last)) break;
      heap[at] = heap[child] as T;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}
