// `npm run build`: src/ → dist/. Builds aside and swaps, so that a running example never sees a half-written dist.
import { chmod, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { copyAssets } from "./files.mjs";
import { root, run, tsc } from "./process.mjs";

const next = join(root, `dist.next-${process.pid}`);
const dist = join(root, "dist");

try {
  const { code } = await run(process.execPath, [tsc, "-p", "tsconfig.build.json", "--outDir", next]);
  if (code !== 0) {
    process.exitCode = code;
  } else {
    await copyAssets(join(root, "src"), next);
    await chmod(join(next, "cli", "bin.js"), 0o755).catch((error) => {
      if (error.code !== "ENOENT") throw error;
    });
    await rm(dist, { recursive: true, force: true });
    await rename(next, dist);
  }
} finally {
  await rm(next, { recursive: true, force: true });
}
