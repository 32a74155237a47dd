/** Preloaded into a process: the packages that reach database servers are not installed in it. */
import { register } from "node:module";

const hooks = `
export async function resolve(specifier, context, next) {
  if (!/^(?:pg|mysql2)(?:\\/|$)/.test(specifier)) return next(specifier, context);
  throw Object.assign(new Error("Cannot find package '" + specifier + "'"), { code: "ERR_MODULE_NOT_FOUND" });
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
