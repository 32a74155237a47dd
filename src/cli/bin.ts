#!/usr/bin/env node
// The program `sidereal`: runs one command and leaves with its exit code.
import { leave, out, say } from "./console.ts";
import { EXIT } from "./exits.ts";
import { main } from "./main.ts";

let ended = false;
process.once("exit", (code) => {
  // Nothing was left to wait for although the command had not ended: an application that never finishes loading.
  if (ended || (code !== 0 && code !== 13)) return;
  say("error: the application never finished loading: it awaits something that nothing will bring about");
  process.exitCode = EXIT.failed;
});

process.on("uncaughtException", (error) => {
  // A worker listens too: it hands back what it runs before it ends.
  if (process.listenerCount("uncaughtException") > 1) return;
  ended = true;
  import("./faults.ts").then(({ report, uncaught }) => leave(report(uncaught(error))));
});

main(process.argv.slice(2), out).then((code) => {
  ended = true;
  return leave(code);
});
