/** Finding the application's file: a flag, the environment, package.json, then the usual names. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { usage } from "./faults.ts";

/** The file of an application, and which of its exports was asked for. */
export interface Located {
  readonly file: string;
  readonly exportName: string | null;
  /** How it was found, for messages. */
  readonly origin: string;
}

export interface Surroundings {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const FOLDERS = [".", "src"];
const STEMS = ["app", "server", "queues"];
const EXTENSIONS = ["ts", "mts", "js", "mjs", "cjs"];
const FIX = "Name it with --app <file>[:export], SIDEREAL_APP, or package.json#sidereal.app.";

/** Finds the application. @throws Fault, a usage error that lists what was looked for */
export function locate(flag: string | undefined, { cwd, env }: Surroundings): Located {
  if (flag !== undefined) return named(flag, "--app", cwd);
  const variable = env["SIDEREAL_APP"];
  if (variable !== undefined && variable !== "") return named(variable, "SIDEREAL_APP", cwd);
  const field = manifestField(cwd);
  if (field !== undefined) return named(field, "package.json#sidereal.app", cwd);
  for (const folder of FOLDERS) {
    for (const stem of STEMS) {
      for (const extension of EXTENSIONS) {
        const file = join(cwd, folder, `${stem}.${extension}`);
        if (isFile(file)) return { file, exportName: null, origin: `${relative(cwd, file)}, found in ${cwd}` };
      }
    }
  }
  throw usage("no application was found", FIX, {
    where: cwd,
    why: [
      "looked for --app, SIDEREAL_APP and package.json#sidereal.app: none is set",
      ...FOLDERS.map((folder) => {
        const prefix = folder === "." ? "" : `${folder}/`;
        return `looked for ${STEMS.map((stem) => `${prefix}${stem}.{${EXTENSIONS.join(",")}}`).join(", ")}`;
      }),
    ],
    code: "APP_NOT_FOUND",
  });
}

/**
 * Splits `<file>[:export]`. The export is a JavaScript identifier, so a drive letter (`C:\app.ts`) stays part of the
 * file; what is one letter before the only colon is a drive, too.
 */
export function splitTarget(text: string): { readonly path: string; readonly exportName: string | null } {
  const match = /^(.+):([\p{ID_Start}$_][\p{ID_Continue}$]*)$/u.exec(text);
  if (match?.[1] === undefined || match[2] === undefined || /^[A-Za-z]$/u.test(match[1])) {
    return { path: text, exportName: null };
  }
  return { path: match[1], exportName: match[2] };
}

function named(target: string, origin: string, cwd: string): Located {
  const whole = fileAt(resolve(cwd, target));
  if (whole !== undefined) return { file: whole, exportName: null, origin };
  const { path, exportName } = splitTarget(target);
  const file = fileAt(resolve(cwd, path));
  if (file !== undefined) return { file, exportName, origin };
  const place = resolve(cwd, path);
  const why = existsSync(place) ? `${place} is a folder, not a file` : `there is no file ${place}`;
  throw usage(`the application that ${origin} names was not found: ${target}`, `Correct ${origin}: <file>[:export].`, {
    why: [why],
    code: "APP_NOT_FOUND",
  });
}

/** The file itself, or with one of the extensions where it was named without. */
function fileAt(path: string): string | undefined {
  return [path, ...EXTENSIONS.map((extension) => `${path}.${extension}`)].find(isFile);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function manifestField(cwd: string): string | undefined {
  const path = join(cwd, "package.json");
  if (!isFile(path)) return undefined;
  let manifest: { sidereal?: { app?: unknown } } | null;
  try {
    manifest = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw usage(`${path} could not be read`, "Mend package.json, or name the application with --app.", {
      why: [(error as Error).message],
      code: "APP_NOT_FOUND",
    });
  }
  const app = manifest?.sidereal?.app;
  if (app === undefined) return undefined;
  if (typeof app === "string" && app !== "") return app;
  throw usage(`sidereal.app in ${path} is not the name of a file`, 'Write "sidereal": { "app": "src/app.ts" }.', {
    code: "APP_NOT_FOUND",
  });
}
