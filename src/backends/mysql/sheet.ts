/**
 * Batches on their way in: one JSON text of all rows, which the server reads as a table. The number of rows is none of
 * the statement's business, so that a few prepared ones serve every batch.
 */
import { SiderealError } from "../../model/errors.ts";
import type { BatchColumn } from "../sql/batch.ts";
import type { Text } from "../sql/port.ts";
import { LENGTHS, type Type } from "./names.ts";

/** One column of a batch. */
export type Column = BatchColumn<Type>;

const TYPES: Readonly<Record<Type, string>> = {
  bytes: "longtext character set utf8mb4",
  text: "longtext character set utf8mb4",
  int: "int",
  bigint: "bigint",
};

/** The table of a batch under an alias; its one parameter is the JSON text. What cannot be read is refused. */
export function table(alias: string, columns: readonly Pick<Column, "name" | "type">[]): string {
  const list = columns.map(
    ({ name, type }, at) => `\`${name}\` ${TYPES[type]} path '$[${at}]' null on empty error on error`,
  );
  return `json_table(convert(? using utf8mb4), '$[*]' columns (${list.join(", ")})) ${alias}`;
}

/** A column of a batch in the type in which it is stored. */
export function cell(alias: string, { name, type }: Pick<Column, "name" | "type">): string {
  return type === "bytes" ? `cast(${alias}.\`${name}\` as binary)` : `${alias}.\`${name}\``;
}

/** One parameter in the type in which it is stored. */
export function parameter(type: Type): string {
  if (type === "int" || type === "bigint") return "cast(? as signed)";
  return type === "bytes" ? "cast(? as binary)" : "convert(cast(? as binary) using utf8mb4)";
}

/** The rows as JSON texts, one each; no column may hold a single value for all. */
export function lines(columns: readonly Column[]): string[] {
  const count = columns[0]?.values.length ?? 0;
  return Array.from({ length: count }, (_, at) => JSON.stringify(columns.map(({ values }) => values[at] ?? null)));
}

/** The places of lines in groups, none of which is larger than so many bytes unless it holds a single line. */
export function pieces(texts: readonly string[], bytes: number): number[][] {
  const groups: number[][] = [[]];
  let size = 0;
  for (const [place, text] of texts.entries()) {
    const length = Buffer.byteLength(text, "utf8") + 1;
    const last = groups.at(-1) as number[];
    size += length;
    if (last.length === 0 || size <= bytes) last.push(place);
    else {
      groups.push([place]);
      size = length;
    }
  }
  return groups;
}

/** Refuses what would not fit into its column: a server that is not strict would cut it off. @throws OPTION_INVALID */
export function fitting(name: string, value: Text): Text {
  const limit = LENGTHS[name];
  if (limit === undefined || value === null || value.length * 3 <= limit) return value;
  if (Buffer.byteLength(value, "utf8") <= limit) return value;
  throw new SiderealError(
    "OPTION_INVALID",
    `A record's ${name} is longer than ${limit} bytes, which MySQL cannot index`,
  );
}
