/** Finding the application's file: the order of places, of names and of endings, and what is said when there is none. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Fault } from "../../src/cli/faults.ts";
import { locate, splitTarget } from "../../src/cli/locate.ts";

describe("splitting <file>[:export]", () => {
  const cases: readonly (readonly [text: string, path: string, exportName: string | null])[] = [
    ["app.ts", "app.ts", null],
    ["app.ts:queues", "app.ts", "queues"],
    ["./src/app:makeApp", "./src/app", "makeApp"],
    ["/srv/app.mjs:default", "/srv/app.mjs", "default"],
    ["C:\\srv\\app.ts", "C:\\srv\\app.ts", null],
    ["C:\\srv\\app.ts:app", "C:\\srv\\app.ts", "app"],
    ["C:/srv/app.ts:app", "C:/srv/app.ts", "app"],
    ["C:/srv/app.ts", "C:/srv/app.ts", null],
    ["C:app", "C:app", null],
    ["a:b.ts", "a:b.ts", null],
    ["a:b.ts:$größe", "a:b.ts", "$größe"],
    ["app.ts:", "app.ts:", null],
  ];
  for (const [text, path, exportName] of cases) {
    it(`${text} is ${path} and ${exportName}`, () => assert.deepEqual(splitTarget(text), { path, exportName }));
  }
});

describe("finding the application", () => {
  let cwd = "";
  beforeEach(() => {
    cwd = mkdtempSync(join(tmpdir(), "sidereal-locate-"));
    mkdirSync(join(cwd, "src"));
  });
  afterEach(() => rmSync(cwd, { recursive: true, force: true }));

  const put = (name: string, text = ""): string => {
    writeFileSync(join(cwd, name), text);
    return join(cwd, name);
  };
  const found = (flag?: string, env: Record<string, string> = {}) => locate(flag, { cwd, env });
  const fault = (flag?: string, env: Record<string, string> = {}) => {
    try {
      found(flag, env);
    } catch (error) {
      assert.ok(error instanceof Fault, String(error));
      assert.equal(error.parts.exit, 64);
      return error.parts;
    }
    throw new assert.AssertionError({ message: "it was found" });
  };

  it("takes app, server, queues, here and then in src, each as ts, mts, js, mjs, cjs", () => {
    const names = ["", "src/"].flatMap((folder) =>
      ["app", "server", "queues"].flatMap((stem) =>
        ["ts", "mts", "js", "mjs", "cjs"].map((ending) => `${folder}${stem}.${ending}`),
      ),
    );
    for (const name of [...names].reverse()) assert.equal(found(put(name) && undefined).file, join(cwd, name));
    for (const name of names) {
      assert.equal(found().file, join(cwd, name));
      rmSync(join(cwd, name));
    }
    assert.equal(fault().code, "APP_NOT_FOUND");
  });

  it("prefers --app to SIDEREAL_APP, that to package.json, and that to the usual names", () => {
    for (const name of ["app.ts", "flag.ts", "variable.ts", "manifest.ts"]) put(name);
    put("package.json", '{ "sidereal": { "app": "manifest.ts:queues" } }');
    const env = { SIDEREAL_APP: "variable.ts:app" };
    assert.deepEqual(found("flag.ts:x", env), { file: join(cwd, "flag.ts"), exportName: "x", origin: "--app" });
    assert.deepEqual(found(undefined, env), {
      file: join(cwd, "variable.ts"),
      exportName: "app",
      origin: "SIDEREAL_APP",
    });
    const manifest = { file: join(cwd, "manifest.ts"), exportName: "queues", origin: "package.json#sidereal.app" };
    assert.deepEqual(found(), manifest);
    assert.deepEqual(found(undefined, { SIDEREAL_APP: "" }), manifest, "an empty variable is none");
    put("package.json", "{}");
    assert.equal(found().file, join(cwd, "app.ts"));
  });

  it("adds the ending that was left out, and takes a colon in a file's name for what it is", () => {
    const app = put("src/work.mts");
    assert.deepEqual(found("src/work:app"), { file: app, exportName: "app", origin: "--app" });
    if (process.platform === "win32") return;
    const odd = put("odd:name");
    assert.deepEqual(found("odd:name"), { file: odd, exportName: null, origin: "--app" });
  });

  it("lists everything it looked for when there is nothing", () => {
    const { what, where, why, fix } = fault();
    assert.equal(what, "no application was found");
    assert.equal(where, cwd);
    const text = why?.join("\n") ?? "";
    for (const word of [
      "--app",
      "SIDEREAL_APP",
      "package.json#sidereal.app",
      "app.{ts,mts,js,mjs,cjs}",
      "src/queues.",
    ]) {
      assert.ok(text.includes(word), `${word} is not in:\n${text}`);
    }
    assert.match(fix ?? "", /--app <file>/);
  });

  it("does not go on looking when a name leads nowhere", () => {
    put("app.ts");
    assert.match(fault("gone.ts").why?.[0] ?? "", /there is no file .*gone\.ts/);
    assert.match(fault("src").why?.[0] ?? "", /is a folder/);
    assert.match(fault(undefined, { SIDEREAL_APP: "gone.ts" }).what, /that SIDEREAL_APP names .*gone\.ts/);
    put("package.json", '{ "sidereal": { "app": 5 } }');
    assert.match(fault().what, /sidereal\.app in .* is not the name of a file/);
    put("package.json", "{ nonsense");
    assert.match(fault().what, /package\.json could not be read/);
  });
});
