/** The tasks of the document indexer: real files in, headings and sizes out. */
import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress } from "node:zlib";
import { NonRetryableError, task } from "sidereal";

const compress = promisify(brotliCompress);
const HEADINGS = 200;

/** Reads one Markdown file of any size and encoding and finds its headings. */
export const indexDocument = task(
  "documents.index",
  { queue: "documents", retries: 1, timeout: "20s" },
  async (input: { path: string }, ctx) => {
    const began = performance.now();
    const bytes = await readFile(input.path);
    const text = new TextDecoder("utf-8").decode(bytes);
    const lines = text.split(/\r?\n/u);
    const headings = headingsOf(lines);
    await ctx.progress(lines.length, lines.length, `${headings.length} headings`);
    return {
      path: input.path,
      bytes: bytes.length,
      lines: lines.length,
      headings: headings.slice(0, HEADINGS),
      damaged: text.includes("\uFFFD"),
      milliseconds: performance.now() - began,
    };
  },
);

/** Fails once, as a service that was just restarted would, and succeeds on its second attempt. */
export const publishIndex = task(
  "documents.publish",
  { queue: "documents", retries: 2, backoff: "300ms" },
  async (input: { name: string }, ctx) => {
    if (ctx.attempt === 1) throw new Error("the search service was restarting");
    return { name: input.name, attempt: ctx.attempt };
  },
);

/** Would watch a folder for ever; ends when it is cancelled. */
export const watchFolder = task("documents.watch", { queue: "documents" }, async (input: { folder: string }, ctx) => {
  await ctx.log(`watching ${input.folder}`);
  await new Promise((_, reject) => {
    ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason), { once: true });
  });
});

/** Compresses one file, as well as Brotli can, and notes it in a ledger. */
export const archiveDocument = task(
  "documents.archive",
  { queue: "archive", retries: 2 },
  async (input: { path: string; into: string; name: string }, ctx) => {
    if (input.name.includes("/")) throw new NonRetryableError(`${input.name} is no file name`);
    const bytes = await readFile(input.path);
    const packed = await compress(bytes);
    await mkdir(input.into, { recursive: true });
    await writeFile(join(input.into, input.name), packed);
    await appendFile(join(input.into, "ledger.txt"), `${ctx.id} ${input.name}\n`);
    return { saved: bytes.length - packed.length };
  },
);

function headingsOf(lines: readonly string[]): string[] {
  const headings: string[] = [];
  let fence = "";
  for (const line of lines) {
    const mark = /^\s{0,3}(`{3,}|~{3,})/u.exec(line)?.[1]?.slice(0, 3) ?? "";
    if (mark !== "" && (fence === "" || fence === mark)) fence = fence === "" ? mark : "";
    const heading = fence === "" ? /^#{1,6}\s+(.{1,200}?)\s*#*$/u.exec(line)?.[1] : undefined;
    // A store takes no NUL; a document may hold anything.
    if (heading !== undefined) headings.push(heading.replaceAll("\0", "\uFFFD"));
  }
  return headings;
}
