/** Batches of rows on their way into a server store, column by column. */
import type { Text } from "./port.ts";

/** One column of a batch; its values are texts of this type. A single one stands for every row. */
export interface BatchColumn<Type> {
  readonly name: string;
  readonly type: Type;
  readonly values: readonly Text[];
}

/** The column of these items, kept as a single value where all have the same: most columns of most batches. */
export function columnOf<Item, Type>(
  items: readonly Item[],
  name: string,
  type: Type,
  value: (item: Item) => Text,
): BatchColumn<Type> {
  const first = items[0] === undefined ? null : value(items[0]);
  let at = 1;
  while (at < items.length && value(items[at] as Item) === first) at += 1;
  return { name, type, values: at >= items.length ? [first] : items.map(value) };
}

/** Whether every row holds the same. */
export function isConstant(values: readonly Text[]): boolean {
  const first = values[0];
  return values.every((value) => value === first);
}
