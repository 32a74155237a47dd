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
    if (!cannotLoad(error)) throw error;
    const { createJiti } = await import("jiti");
    const jiti = createJiti(import.meta.url, {
      interopDefault: false,
      moduleCache: !again,
      fsCache: false,
      tryNative: false,
    });
    return jiti.import(file);
  }
}

/** Whether Node itself has no way to run the file, as opposed to the file throwing. */
function cannotLoad(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return (
    code === "ERR_UNKNOWN_FILE_EXTENSION" ||
    code === "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX" ||
    code === "ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING" ||
    // A TypeScript file that imports "./x.js" and means x.ts, or leaves the extension out.
    code === "ERR_MODULE_NOT_FOUND" ||
    code === "ERR_UNSUPPORTED_DIR_IMPORT"
  );
}
