/** Importing a user's module: natively where Node can, through jiti where it cannot (TypeScript on older releases). */
import { pathToFileURL } from "node:url";

let fresh = 0;

/**
 * Imports a file by its absolute path.
 * @param again - Read it anew although it was imported before.
 */
export async function importModule(file: string, again = false): Promise<unknown> {
  const url = pathToFileURL(file);
  if (again) {
    fresh += 1;
    url.searchParams.set("fresh", String(fresh));
  }
  try {
    return await import(url.href);
  } catch (error) {
    if (!cannotLoad(error, file) && !cannotRead(error, file)) throw error;
    return throughJiti(file, again, error);
  }
}

/** Answers with Node's own error where jiti does not find the missing module either. */
async function throughJiti(file: string, again: boolean, before: unknown): Promise<unknown> {
  const { createJiti } = await import("jiti");
  const jiti = createJiti(import.meta.url, {
    interopDefault: false,
    moduleCache: !again,
    fsCache: false,
    tryNative: false,
    tsconfigPaths: true,
  });
  try {
    return await jiti.import(file);
  } catch (error) {
    throw codeOf(before) === "ERR_MODULE_NOT_FOUND" && codeOf(error) === "MODULE_NOT_FOUND" ? before : error;
  }
}

/** Whether Node itself has no way to run the file, as opposed to the file throwing. */
function cannotLoad(error: unknown, file: string): boolean {
  const code = codeOf(error);
  return (
    code === "ERR_UNKNOWN_FILE_EXTENSION" ||
    code === "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX" ||
    code === "ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING" ||
    // A TypeScript file that imports "./x.js" and means x.ts, or leaves the extension out.
    (/ts$/u.test(file) && (code === "ERR_MODULE_NOT_FOUND" || code === "ERR_UNSUPPORTED_DIR_IMPORT"))
  );
}

/** Whether Node read TypeScript as far as it can, and what was left is no JavaScript; nothing of it has run. */
function cannotRead(error: unknown, file: string): boolean {
  if (!/ts$/u.test(file) || !(error instanceof SyntaxError)) return false;
  // Decorators; and a type that is imported without the word `type`.
  const left = /^Invalid or unexpected token$|does not provide an export named/u;
  return codeOf(error) === "ERR_INVALID_TYPESCRIPT_SYNTAX" || left.test(error.message);
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code;
}
