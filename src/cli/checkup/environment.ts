/** What the doctor says of the runtime. */
import type { Finding } from "../../index.ts";

/** The oldest release that this package supports, and the oldest that still gets security fixes. */
const OLDEST = [20, 19] as const;
const MENDED = 22;

export interface Environment {
  /** As `process.versions.node`. */
  readonly node: string;
  readonly platform: string;
  readonly production: boolean;
}

export function environmentFindings({ node, platform, production }: Environment): readonly Finding[] {
  const [major = 0, minor = 0] = node.split(".").map(Number);
  const what = `Node.js ${node} on ${platform}${production ? ", NODE_ENV=production" : ""}`;
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    const advice = `Use Node.js ${OLDEST.join(".")} or newer.`;
    return [{ check: "runtime", level: "problem", message: `${what} is not supported`, advice }];
  }
  if (major < MENDED) {
    const message = `${what} gets no security fixes any more`;
    return [{ check: "runtime", level: "warning", message, advice: `Move to Node.js ${MENDED} or newer.` }];
  }
  return [{ check: "runtime", level: "ok", message: what, advice: null }];
}
