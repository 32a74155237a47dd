/**
 * Batches on their way in: one JSON array of texts per column, which is the cheapest list for both sides, and whose
 * length no plan can see. What is the same in every row travels once.
 */
import { type BatchColumn, isConstant } from "../sql/batch.ts";
import type { Text } from "../sql/port.ts";
import type { Type } from "./names.ts";

/** One column of a batch; its values are texts of this type. */
export type Column = BatchColumn<Type>;

/** A batch as the source of a statement. */
export interface Sheet {
  /** A materialized CTE of this name and the columns' names and types; its rows keep their order. */
  readonly cte: string;
  /** The parameters of the CTE. */
  readonly values: readonly Text[];
}

/**
 * The batch as a CTE.
 * @param first - Number of its first parameter.
 * @param columns - At least one; the first one has a value for each row, and they differ.
 * @param place - Name of one more column: the place of the row, from 1.
 */
export function sheet(name: string, first: number, columns: readonly Column[], place?: string): Sheet {
  const values: Text[] = [];
  const lists: string[] = [];
  const aliases: string[] = [];
  const selected = columns.map((column, at) => {
    const parameter = `$${first + values.length}::text`;
    if (at > 0 && isConstant(column.values)) {
      values.push(column.values[0] ?? null);
      return `${cast(parameter, column.type)} as ${column.name}`;
    }
    values.push(JSON.stringify(column.values));
    lists.push(`json_array_elements_text(${parameter}::json)`);
    const alias = `v${at}`;
    aliases.push(alias);
    return `${cast(`v.${alias}`, column.type)} as ${column.name}`;
  });
  if (place !== undefined) selected.push(`v.place as ${place}`);
  const source = `rows from (${lists.join(", ")}) with ordinality as v(${[...aliases, "place"].join(", ")})`;
  return { cte: `${name} as materialized (select ${selected.join(", ")} from ${source})`, values };
}

/** A list of texts as one parameter: `in (${listed("$1")})`. */
export function listed(parameter: string): string {
  return `select json_array_elements_text(${parameter}::text::json)`;
}

function cast(expression: string, type: Type): string {
  return type === "text" ? expression : `${expression}::${type}`;
}
