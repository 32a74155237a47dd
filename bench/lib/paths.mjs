// Where things are, and what is run: shared by the command and by the processes that measure.
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const bench = fileURLToPath(new URL("..", import.meta.url));
export const root = join(bench, "..");
/** Database files and profiles; ignored by git, on the disk that holds the repository. */
export const out = join(bench, "out");
/** The build that is measured: what users get, or another one named by `--dist`. */
export const dist = process.env.SIDEREAL_BENCH_DIST ?? join(root, "dist");

/** Every task of every workload carries this input: about 90 bytes of JSON. `at` is when it was sent, see `now`. */
export const payload = (id, at = 0) => ({ id, at, to: "user@example.com", subject: "Hello", pad: PAD });
const PAD = "xxxxxxxxxxxxxxxxxxxxxxxx";

/** Milliseconds of the system's monotonic clock, which all processes of a machine share. */
export function now() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
