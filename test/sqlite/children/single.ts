/** A process that does one thing on a file when it is told to, and says when it is done. */
import { sqlite } from "../../../src/backends/sqlite/index.ts";
import { connect, drafts } from "../bench.ts";

const [file = ""] = process.argv.slice(2);
const store = sqlite(file);

let connection: ReturnType<typeof connect> | undefined;
const other = (): ReturnType<typeof connect> => {
  connection ??= connect(file);
  return connection;
};

const commands: Readonly<Record<string, () => unknown>> = {
  open: () => store.open(),
  insert: async () => {
    await store.open();
    return (await store.insert(drafts(1, process.pid)))[0]?.record.id;
  },
  lock: () => other().exec("begin exclusive"),
  unlock: () => other().exec("rollback"),
  pin: () => {
    other().exec("begin");
    return other().prepare("select count(*) from sidereal_tasks").get();
  },
  end: () => store.close(),
};

process.on("message", async (command: string) => {
  try {
    const done = (await commands[command]?.()) ?? null;
    process.send?.({ done }, () => {
      if (command === "end") process.disconnect?.();
    });
  } catch (error) {
    process.send?.({ failed: String(error), code: (error as { code?: string }).code });
  }
});
process.send?.({ done: "started" });
