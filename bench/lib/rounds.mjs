// The measurements of one store: every workload in rounds, ours and the peers' in turn, so that drift hits all alike.
import { access } from "node:fs/promises";
import { join } from "node:path";
import { FILES, loadAdapter } from "./adapters.mjs";
import { groundOf } from "./grounds.mjs";
import { dist } from "./paths.mjs";
import { SIZES } from "./plan.mjs";
import { ask } from "./spawn.mjs";

const MEGABYTE = 2 ** 20;

/** Share of a core that others may use before a measurement is called disturbed. */
const DISTURBED = 0.2;

export class Rounds {
  /** Values by workload, adapter and figure: lists, one value per round. */
  values = new Map();
  disturbed = 0;

  constructor({ node, options, note }) {
    this.node = node;
    this.options = options;
    this.note = note;
    this.dist = options.dist ?? dist;
  }

  async run() {
    try {
      await this.all();
    } finally {
      await this.clean();
    }
  }

  async all() {
    const files = FILES[this.options.store];
    this.adapters = [];
    for (const file of this.options.peers ? files : files.slice(0, 1)) {
      this.adapters.push({ file, ...(await describe(file)) });
    }
    this.ground = await groundOf(this.options.store, this.options.server);
    this.about = await this.ground.about();
    const wants = (workload) => this.options.only.includes(workload);
    const isShared = this.options.store !== "memory";
    const takingPart = (workload) => this.adapters.filter(({ only }) => only?.includes(workload) ?? true);
    for (let round = 0; round < this.options.reps; round += 1) {
      for (const workload of ["W1", "W2", "W3", "W4", "W5"]) {
        if (!wants(workload)) continue;
        for (const adapter of takingPart(workload)) await this.once(workload, adapter);
        if (workload === "W4" && isShared) for (const adapter of takingPart("W4")) await this.elsewhere(adapter);
      }
    }
    if (wants("W6") && isShared) await this.grown(takingPart("W6"));
    if (wants("W7")) for (const adapter of takingPart("W7")) await this.memory(adapter);
    if (wants("W8")) await this.startUp();
    if (wants("W9")) await this.pinned(this.adapters[0]);
  }

  async clean() {
    await this.ground?.clean(this.adapters);
  }

  size(name, adapter) {
    const share = adapter?.share?.[name] ?? 1;
    return Math.max(name === "W4" ? 50 : 1_000, Math.round(SIZES[name] * share * this.options.scale));
  }

  /** An emptied place, or a seeded one that stays. */
  async place(adapter, kind = "fresh") {
    const place = this.ground.place(adapter, kind);
    if (kind === "fresh") await this.ground.empty(place);
    return place;
  }

  /** Fills a place by another process, and gives the store what it needs to be at rest. */
  async fill(adapter, options) {
    await this.ask(adapter, "fill", options, true);
    await this.ground.settle(options);
  }

  async ask(adapter, operation, options, quiet = false) {
    const profile = this.options.profile && adapter.ours && !quiet;
    const answer = await ask(this.node, "measure.mjs", [adapter.file, operation, JSON.stringify(options)], {
      profile,
      dist: this.dist,
    });
    if (!quiet && answer.cpu !== undefined) {
      const server = answer.server > 0 ? `, the server ${answer.server.toFixed(1)}` : "";
      this.note(`  CPU microseconds per task: ${answer.cpu.toFixed(1)}${server}`);
    }
    if (!quiet && !options.elsewhere && answer.others > DISTURBED) {
      this.disturbed += 1;
      this.note(`  disturbed: others used ${answer.others.toFixed(2)} of a core`);
    }
    return answer;
  }

  add(workload, adapter, figure, value, unit) {
    const key = `${workload}|${adapter.name}|${figure}`;
    const entry = this.values.get(key) ?? {
      workload,
      adapter: adapter.name,
      ours: adapter.ours,
      figure,
      unit,
      all: [],
    };
    entry.all.push(value);
    this.values.set(key, entry);
    const shown = Math.abs(value) < 100 ? value.toFixed(3) : Math.round(value).toLocaleString("en");
    this.note(`${workload} ${adapter.name} ${figure}: ${shown} ${unit}`);
  }

  async once(workload, adapter) {
    const count = this.size(workload, adapter);
    const place = await this.place(adapter);
    const inMemory = adapter.store === "memory";
    if (workload === "W3" && !inMemory) await this.fill(adapter, { ...place, count });
    const answer = await this.ask(adapter, workload, { ...place, count, prefill: inMemory });
    if (workload !== "W4") this.add(workload, adapter, "rate", answer.value, "tasks/s");
    else for (const figure of ["p50", "p95", "p99"]) this.add(workload, adapter, figure, answer[figure], "ms");
  }

  /** W4 with the producer in another process. */
  async elsewhere(adapter) {
    const place = await this.place(adapter);
    const count = this.size("W4");
    const answer = await this.ask(adapter, "W4", { ...place, count, elsewhere: true, adapterFile: adapter.file });
    for (const figure of ["p50", "p95", "p99"])
      this.add("W4", adapter, `${figure}, other process`, answer[figure], "ms");
  }

  /** W6: W3 in stores that are seeded once and grow by each drain, beside an empty one in the same round. */
  async grown(adapters) {
    const kindsOf = (adapter) => (adapter.ours || adapter.keeps ? ["completed", "scheduled"] : ["scheduled"]);
    for (const adapter of adapters) {
      for (const kind of kindsOf(adapter)) {
        this.note(`seeding ${adapter.name} with ${this.size(kind).toLocaleString("en")} ${kind} ...`);
        const place = await this.place(adapter, kind);
        await this.ground.empty(place);
        const options = { ...place, count: this.size(kind) };
        if (kind === "completed") await this.ask(adapter, "seed", options, true);
        else await this.ask(adapter, "fill", { ...options, delay: 86_400_000 }, true);
      }
    }
    const count = this.size("W3");
    for (let round = 0; round < this.options.reps; round += 1) {
      for (const adapter of adapters) {
        for (const kind of ["fresh", ...kindsOf(adapter)]) {
          const place = await this.place(adapter, kind);
          await this.fill(adapter, { ...place, count });
          const { value } = await this.ask(adapter, "W3", { ...place, count });
          this.add("W6", adapter, kind === "fresh" ? "empty" : kind, value, "tasks/s");
        }
      }
    }
  }

  async memory(adapter) {
    const idle = await this.ask(adapter, "idle", await this.place(adapter));
    this.add("W7", adapter, "idle worker, resident", idle.rss / MEGABYTE, "MB");
    if (adapter.ours) await this.growth(adapter);
    // What keeps no records has none whose size could be told.
    if (!adapter.ours && adapter.store === "memory") return;
    const stored = await this.ask(adapter, "stored", {
      ...(await this.place(adapter)),
      count: this.size("stored"),
    });
    this.add("W7", adapter, "bytes per stored task", stored.value, "bytes");
  }

  async growth(adapter) {
    const count = this.size("growth");
    const growth = await this.ask(adapter, "growth", { ...(await this.place(adapter)), count });
    this.add("W7", adapter, "heap growth per task run", growth.heap / growth.tasks, "bytes");
    this.add(
      "W7",
      adapter,
      `heap growth over ${growth.tasks.toLocaleString("en")} tasks`,
      growth.heap / MEGABYTE,
      "MB",
    );
    this.add(
      "W7",
      adapter,
      `resident growth over ${growth.tasks.toLocaleString("en")} tasks`,
      growth.rss / MEGABYTE,
      "MB",
    );
  }

  /** W9, ours alone: none of the peers tells how long a claim takes. */
  async pinned(adapter) {
    const seconds = Math.max(30, Math.round(SIZES.pinned * this.options.scale));
    const { figures } = await this.ask(adapter, "pinned", { ...(await this.place(adapter)), seconds });
    for (const [figure, [value, unit]] of Object.entries(figures)) this.add("W9", adapter, figure, value, unit);
  }

  async startUp() {
    const ours = { name: "sidereal", ours: true };
    const isMemory = this.options.store === "memory";
    const store = isMemory ? "index.js" : `backends/${this.options.store}/index.js`;
    const name = isMemory ? "sidereal" : `sidereal/${this.options.store}`;
    for (let round = 0; round < Math.max(5, this.options.reps); round += 1) {
      const { value } = await ask(this.node, "startup.mjs", [join(this.dist, store)]);
      this.add("W8", ours, `import ${name}`, value, "ms");
    }
    const { value } = await ask(this.node, "startup.mjs", [join(this.dist, store), "modules"]);
    this.add("W8", ours, `modules loaded by ${name}`, value, "modules");
    await this.commandLine(ours);
  }

  async commandLine(ours) {
    const bin = join(this.dist, "cli", "bin.js");
    if (
      await access(bin).then(
        () => false,
        () => true,
      )
    ) {
      this.note("W8: skipped the command line, this build has no cli/bin.js");
      return;
    }
    for (let round = 0; round < Math.max(5, this.options.reps); round += 1) {
      const { value } = await ask(this.node, "command.mjs", [bin, "status", "--help"]);
      this.add("W8", ours, "sidereal status --help", value, "ms");
    }
    for (let round = 0; round < Math.max(5, this.options.reps); round += 1) {
      const { value } = await ask(this.node, "command.mjs", ["-e", "0"]);
      this.add("W8", ours, "node -e 0, for comparison", value, "ms");
    }
  }
}

/** An adapter's description without opening anything. */
async function describe(file) {
  // Peers load only under the pinned Node, which runs this script too.
  const { name, store, how, package: npm, only, share, keeps } = await loadAdapter(file);
  return { name, store, how, npm: npm ?? name, only, share, keeps, ours: name === "sidereal" };
}
