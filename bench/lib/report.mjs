// The table, and its lines as JSON.
import { TARGETS, WORKLOADS } from "./plan.mjs";

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** One row per workload and figure: ours, the peers', the ratio to the best of them, and the verdict on it. */
export function rows(values, store) {
  const entries = [...values.values()].map((entry) => ({ ...entry, value: median(entry.all) }));
  const of = (workload, figure, ours) =>
    entries.find((entry) => entry.workload === workload && entry.figure === figure && entry.ours === ours);
  return entries
    .filter((entry) => entry.ours)
    .map(({ workload, figure, unit, value, all }) => {
      const peers = entries.filter((entry) => entry.workload === workload && entry.figure === figure && !entry.ours);
      const isBetter = unit.endsWith("/s") ? (a, b) => b.value - a.value : (a, b) => a.value - b.value;
      const peer = [...peers].sort(isBetter)[0];
      const empty = workload === "W6" && figure !== "empty" ? of("W6", "empty", true) : undefined;
      const ratio = peer && value / peer.value;
      const base = empty && value / empty.value;
      const target = TARGETS[store][workload]?.[figure];
      return {
        workload,
        figure,
        unit,
        value,
        all,
        peers,
        peer,
        ratio,
        base,
        target,
        verdict: verdict(target, { ratio, value, base }),
      };
    })
    .sort((a, b) => a.workload.localeCompare(b.workload));
}

function verdict(target, reached) {
  const got = target && reached[target.of];
  if (got === undefined) return "";
  const reaches = (mark) => (target.most ? got <= mark : got >= mark);
  const shown = target.of === "value" ? "" : "×";
  const bounds = `${target.most ? "≤ " : ""}${target.floor}${shown} → ${target.goal}${shown}`;
  if (reaches(target.goal)) return `goal reached (${bounds})`;
  return reaches(target.floor) ? `above the floor (${bounds})` : `**below the floor** (${bounds})`;
}

const number = (value) =>
  Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));

/** The Markdown table with its head. */
export function markdown(rows, { store, about, versions, node, machine, adapters, options, date, disturbed }) {
  const peers = adapters.filter((adapter) => !adapter.ours);
  const packages = [...new Set(peers.map(({ npm }) => npm))].map((npm) => ` and ${npm} ${versions[npm]}`).join("");
  const head = [
    `## ${store}`,
    "",
    `${date}, sidereal ${versions.sidereal}${packages}, ${about ? `${about}, ` : ""}Node ${node}, ` +
      `${machine}; median of ${options.reps}${options.scale === 1 ? "" : `, scale ${options.scale}`}` +
      `${disturbed > 0 ? `; ${disturbed} measurements ran beside other work` : ""}.`,
    "",
    ...adapters.map(({ name, how }) => `- ${name}: ${how}`),
    "",
    `| | | sidereal | ${peers.map(({ name }) => `${name} | `).join("")}ratio${peers.length > 1 ? " to the best" : ""} | floor → goal |`,
    `| --- | --- | ---: | ${"---: | ".repeat(peers.length)}---: | --- |`,
  ];
  const lines = rows.map((row) => {
    const what = `${WORKLOADS[row.workload]}${row.figure === "rate" ? "" : `: ${row.figure}`}`;
    const ratio =
      row.base !== undefined ? `${row.base.toFixed(2)}× of empty` : row.ratio ? `${row.ratio.toFixed(2)}×` : "";
    const others = peers.map(({ name }) => {
      const value = row.peers.find(({ adapter }) => adapter === name)?.value;
      return value === undefined ? "– | " : `${number(value)} ${row.unit} | `;
    });
    return `| ${row.workload} | ${what} | ${number(row.value)} ${row.unit} | ${others.join("")}${ratio} | ${row.verdict} |`;
  });
  return [...head, ...lines, ""].join("\n");
}

/** The same figures, one JSON object per line. */
export function jsonLines(rows, store) {
  const lines = [];
  for (const { workload, figure, unit, value, peers, ratio, base } of rows) {
    const name = (who) => (figure === "rate" ? who : `${who} ${figure}`);
    const line = (who, amount, of) => lines.push({ workload, store, name: name(who), value: amount, unit: of });
    line("sidereal", value, unit);
    for (const peer of peers) line(peer.adapter, peer.value, unit);
    if (ratio !== undefined) line("ratio", ratio, "x");
    if (base !== undefined) line("ratio to empty", base, "x");
  }
  return lines.map((line) => JSON.stringify(line)).join("\n");
}
