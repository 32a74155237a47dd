// `npm run check:package`: what would be published, seen from outside. Builds (unless --built is given), packs, looks at the list of files, asks
// publint, then installs the tarball in an empty project, type-checks every subpath under both module resolutions and
// loads every subpath from plain JavaScript.
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root, run, tsc } from "./process.mjs";

const npm = process.env.npm_execpath;
const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
/** @type {[subpath: string, target: { types: string, default: string }][]} */
const subpaths = Object.entries(manifest.exports).filter(([, target]) => typeof target === "object");
const names = subpaths.map(([subpath]) => manifest.name + subpath.slice(1));

/**
 * Runs a command that must succeed and answers what it printed.
 * @param {string} what
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 */
async function must(what, command, args, options) {
  const { code, output } = await run(command, args, { ...options, capture: true });
  if (code !== 0) throw new Error(`${what} failed:\n${output}`);
  process.stdout.write(`✓ ${what}\n`);
  return output;
}

/**
 * @param {string} what
 * @param {string[]} args
 * @param {string} [cwd]
 */
function mustNpm(what, args, cwd = root) {
  return npm ? must(what, process.execPath, [npm, ...args], { cwd }) : must(what, "npm", args, { cwd });
}

/** @param {readonly string[]} files the paths in the tarball */
function checkFiles(files) {
  const allowed = /^(?:package\.json|README\.md|LICENSE|CHANGELOG\.md|dist\/.+\.(?:js|js\.map|d\.ts|sql|lua))$/;
  const problems = files.filter((file) => !allowed.test(file)).map((file) => `${file} must not ship`);
  const wanted = ["README.md", "LICENSE", "CHANGELOG.md", ...Object.values(manifest.bin)];
  for (const [, target] of subpaths) wanted.push(target.types, target.default);
  for (const file of wanted.map((path) => path.replace(/^\.\//, ""))) {
    if (!files.includes(file)) problems.push(`${file} is missing`);
  }
  for (const file of files.filter((path) => path.endsWith(".js"))) {
    if (!files.includes(file.replace(/\.js$/, ".d.ts"))) problems.push(`${file} has no types`);
  }
  if (problems.length > 0) throw new Error(`The package's files are not right:\n  ${problems.join("\n  ")}`);
  process.stdout.write(`✓ ${files.length} files: the build, README, LICENSE, CHANGELOG, and every export among them\n`);
}

/**
 * Type-checks a program that imports every subpath, without skipping the declarations of the package itself.
 * @param {string} project
 * @param {string} moduleResolution
 * @param {string} module
 */
async function checkTypes(project, moduleResolution, module) {
  const config = join(project, `tsconfig.${moduleResolution}.json`);
  const compilerOptions = {
    target: "es2023",
    lib: ["es2023"],
    module,
    moduleResolution,
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: false,
    types: ["node"],
  };
  await writeFile(config, JSON.stringify({ compilerOptions, files: ["every.ts"] }));
  await must(`types with moduleResolution ${moduleResolution}`, process.execPath, [tsc, "-p", config], {
    cwd: project,
  });
}

const scratch = await mkdtemp(join(tmpdir(), "sidereal-package-"));
try {
  if (!process.argv.includes("--built")) await mustNpm("build", ["run", "--silent", "build"]);
  const [packed] = JSON.parse(await mustNpm("pack", ["pack", "--json", "--silent", "--pack-destination", scratch]));
  checkFiles(packed.files.map((/** @type {{ path: string }} */ { path }) => path));
  await must("publint", process.execPath, [join(root, "node_modules/publint/src/cli.js"), "--strict"]);

  const project = join(scratch, "project");
  await mkdir(project);
  await writeFile(join(project, "package.json"), JSON.stringify({ name: "scratch", private: true, type: "module" }));
  const peers = ["fastify", "@photostructure/sqlite", "@types/node"].map(
    (name) => `${name}@${manifest.devDependencies[name]}`,
  );
  const install = ["install", "--no-audit", "--no-fund", "--silent", join(scratch, packed.filename)];
  await mustNpm("install without any peer", install, project);
  const bare = names.filter((name) => !/\/(?:fastify|sqlite|testing\/contract)$/.test(name));
  await writeFile(join(project, "bare.js"), bare.map((name) => `await import("${name}");`).join("\n"));
  await must(`load ${bare.join(", ")} without any peer`, process.execPath, ["bare.js"], { cwd: project });
  const { output: help } = await run(process.execPath, ["node_modules/.bin/sidereal", "--help"], {
    cwd: project,
    capture: true,
  });
  if (!help.includes("Usage: sidereal")) throw new Error(`sidereal --help printed:\n${help}`);
  process.stdout.write("✓ sidereal --help\n");

  await mustNpm("install the peers", [...install.slice(0, -1), ...peers], project);
  const program = names.map((name, index) => `import * as m${index} from "${name}";`).join("\n");
  const shown = names.map((_, index) => `Object.keys(m${index}).length > 0`).join(" && ");
  await writeFile(join(project, "every.ts"), `${program}\nexport const complete: boolean = ${shown};\n`);
  await writeFile(join(project, "every.js"), `${program}\nif (!(${shown})) throw new Error("an export is empty");\n`);
  await checkTypes(project, "nodenext", "nodenext");
  await checkTypes(project, "bundler", "esnext");
  await must(`load ${names.join(", ")}`, process.execPath, ["every.js"], { cwd: project });
} catch (error) {
  process.stdout.write(`✗ ${/** @type {Error} */ (error).message}\n`);
  process.exitCode = 1;
} finally {
  await rm(scratch, { recursive: true, force: true });
}
