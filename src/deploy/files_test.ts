import assert from "node:assert/strict";
import { digestHex, digestOf } from "../std/mod.ts";
import { parseDefinition } from "../package/mod.ts";
import { DeployError } from "./errors.ts";
import { type FileContext, placeFiles } from "./files.ts";

/** A component's unpacked files, and a root that they may go to. */
class Bench implements Disposable {
  readonly dir = Deno.makeTempDirSync({ prefix: "holdfast files " });
  readonly root = `${this.dir}/node/root`;
  readonly #files: Record<string, unknown>[] = [];

  constructor() {
    for (const name of ["work", "home", "package", "component"]) {
      Deno.mkdirSync(`${this.dir}/${name}`);
    }
  }

  /** Adds a file entry with its content: a text, or texts by path below it. */
  add(
    entry: { readonly target: string } & Record<string, unknown>,
    content: string | Uint8Array | Readonly<Record<string, string>>,
    mode = 0o644,
  ): void {
    const base = entry.target.replace(/\/$/, "").split("/").at(-1);
    const path = `${this.dir}/component/files/${this.#files.length}/${base}`;
    this.#files.push({ source: "s", ...entry });
    const whole = typeof content === "string" || content instanceof Uint8Array;
    for (const [name, value] of whole ? [["", content] as const] : Object.entries(content)) {
      const file = name === "" ? path : `${path}/${name}`;
      Deno.mkdirSync(file.slice(0, file.lastIndexOf("/")), { recursive: true });
      if (typeof value === "string") Deno.writeTextFileSync(file, value);
      else Deno.writeFileSync(file, value);
      Deno.chmodSync(file, mode);
    }
  }

  async place(more: Partial<FileContext> = {}): Promise<void> {
    const definition = parseDefinition(new TextEncoder().encode(JSON.stringify({
      kind: "ZarfPackageConfig",
      metadata: { name: "shop" },
      components: [{ name: "web", files: this.#files }],
    })));
    const [component] = definition.components;
    assert.ok(component);
    await placeFiles(component, {
      work: `${this.dir}/work`,
      home: `${this.dir}/home`,
      temp: `${this.dir}/package`,
      roots: [this.root],
      directory: `${this.dir}/component`,
      templates: new Map([["###ZARF_VAR_A###", { value: "value" }]]),
      fillTemplates: () => assert.fail("nothing is a template"),
      ...more,
    });
  }

  async refusal(more: Partial<FileContext> = {}): Promise<DeployError> {
    try {
      await this.place(more);
    } catch (error) {
      assert.ok(error instanceof DeployError, String(error));
      return error;
    }
    assert.fail("it was placed");
  }

  /** Every path below a directory with its mode and content. */
  tree(path = "node"): Record<string, string> {
    const found: Record<string, string> = {};
    for (const { name } of Deno.readDirSync(`${this.dir}/${path}`)) {
      const below = `${path}/${name}`;
      const info = Deno.lstatSync(`${this.dir}/${below}`);
      const mode = ((info.mode ?? 0) & 0o777).toString(8);
      if (info.isDirectory) Object.assign(found, this.tree(below));
      else if (info.isSymlink) found[below] = `-> ${Deno.readLinkSync(`${this.dir}/${below}`)}`;
      else found[below] = `${mode} ${Deno.readTextFileSync(`${this.dir}/${below}`)}`;
    }
    return found;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.dir, { recursive: true });
  }
}

Deno.test("files are put in their places, filled in, with Zarf's modes and links", async () => {
  using bench = new Bench();
  const { root } = bench;
  bench.add({ target: `${root}/a/plain.txt` }, "is ###ZARF_VAR_A###");
  bench.add({ target: `${root}/tool`, executable: true }, "###ZARF_VAR_A###\0");
  bench.add({ target: `${root}/run` }, "#!/bin/sh\n", 0o755);
  bench.add({ target: `${root}/tree/` }, { "x/y": "###ZARF_VAR_A###", "z": "z" });
  bench.add(
    { target: `${root}/with-links`, symlinks: [`${root}/bin/one`, `${root}/two`] },
    "linked",
  );
  Deno.mkdirSync(`${root}/two/full`, { recursive: true });
  for (const _ of [1, 2]) {
    await bench.place();
    assert.deepEqual(bench.tree(), {
      "node/root/a/plain.txt": "600 is value",
      "node/root/tool": "700 ###ZARF_VAR_A###\0",
      "node/root/run": "700 #!/bin/sh\n",
      "node/root/tree/x/y": "644 value",
      "node/root/tree/z": "644 z",
      "node/root/with-links": "600 linked",
      "node/root/bin/one": `-> ${root}/with-links`,
      "node/root/two": `-> ${root}/with-links`,
    });
  }
  assert.equal((Deno.statSync(`${root}/tree`).mode ?? 0) & 0o777, 0o700);
});

Deno.test("relative targets, the home and ZARF_TEMP are the deployment's own", async () => {
  using bench = new Bench();
  bench.add({ target: "sub/a.txt" }, "a");
  bench.add({ target: "~/b.txt" }, "b");
  bench.add({ target: "###ZARF_TEMP###/c.txt" }, "c");
  await bench.place({ roots: [] });
  assert.deepEqual(bench.tree("work"), { "work/sub/a.txt": "600 a" });
  assert.deepEqual(bench.tree("home"), { "home/b.txt": "600 b" });
  assert.deepEqual(bench.tree("package"), { "package/c.txt": "600 c" });
});

Deno.test("a file is compared with its sha256 before anything of it is placed", async () => {
  using bench = new Bench();
  bench.add({ target: `${bench.root}/good`, shasum: digestHex(digestOf("good")) }, "good");
  bench.add({ target: `${bench.root}/bad`, shasum: digestHex(digestOf("good")) }, "bad");
  const error = await bench.refusal();
  assert.equal(error.reason, "PackageBroken");
  assert.match(error.message, /^the file .*\/bad has the sha256 [0-9a-f]{64}, the package says/);
  assert.deepEqual(Object.keys(bench.tree()), ["node/root/good"]);
});

Deno.test("a file that is not in the package is named", async () => {
  using bench = new Bench();
  bench.add({ target: `${bench.root}/a` }, "a");
  Deno.removeSync(`${bench.dir}/component/files`, { recursive: true });
  const error = await bench.refusal();
  assert.equal(error.reason, "PackageBroken");
  assert.match(error.message, /\/root\/a is not among the package's files/);
});

Deno.test("no link leads a file out of its root, also one that the package brings", async (t) => {
  await t.step("a link on the node", async () => {
    using bench = new Bench();
    Deno.mkdirSync(bench.root, { recursive: true });
    Deno.mkdirSync(`${bench.dir}/other`);
    Deno.symlinkSync(`${bench.dir}/other`, `${bench.root}/out`);
    bench.add({ target: `${bench.root}/out/a` }, "a");
    const error = await bench.refusal();
    assert.equal(error.reason, "FilesRefused");
    assert.match(error.message, /out\/a": it leads out of .*\/root$/);
    assert.deepEqual(bench.tree("other"), {});
  });
  await t.step("a link in a directory of the package", async () => {
    using bench = new Bench();
    bench.add({ target: `${bench.root}/dir` }, { "file": "f" });
    Deno.symlinkSync("../../../other", `${bench.dir}/component/files/0/dir/link`);
    const error = await bench.refusal();
    assert.equal(error.reason, "FilesRefused");
    assert.match(error.message, /link .* leads to \.\.\/\.\.\/\.\.\/other, out of/);
  });
  await t.step("a link in it that stays inside", async () => {
    using bench = new Bench();
    bench.add({ target: `${bench.root}/dir` }, { "sub/file": "f" });
    Deno.symlinkSync("sub/file", `${bench.dir}/component/files/0/dir/link`);
    for (const _ of [1, 2]) await bench.place();
    assert.deepEqual(bench.tree(), {
      "node/root/dir/link": "-> sub/file",
      "node/root/dir/sub/file": "644 f",
    });
  });
});

Deno.test("a link in the place of a file is replaced, and what it led to is left alone", async () => {
  using bench = new Bench();
  Deno.mkdirSync(bench.root, { recursive: true });
  Deno.writeTextFileSync(`${bench.dir}/victim`, "victim");
  Deno.symlinkSync(`${bench.dir}/victim`, `${bench.root}/a`);
  bench.add({ target: `${bench.root}/a` }, "a");
  await bench.place();
  assert.equal(Deno.readTextFileSync(`${bench.dir}/victim`), "victim");
  assert.deepEqual(bench.tree(), { "node/root/a": "600 a" });
});

Deno.test("what a killed attempt left beside a file goes away", async () => {
  using bench = new Bench();
  Deno.mkdirSync(bench.root, { recursive: true });
  Deno.writeTextFileSync(`${bench.root}/a.0123abcd.tmp`, "half");
  bench.add({ target: `${bench.root}/a` }, "a");
  await bench.place();
  assert.deepEqual(bench.tree(), { "node/root/a": "600 a" });
});

Deno.test("what the disk does not let it is a failure that names the file, and may pass", async () => {
  using bench = new Bench();
  Deno.mkdirSync(`${bench.root}/a/full`, { recursive: true });
  bench.add({ target: `${bench.root}/a` }, "a");
  const error = await bench.refusal();
  assert.equal(error.reason, "FileFailed");
  assert.equal(error.disposition, "retry");
  assert.match(error.message, /^the file .*\/root\/a cannot be put in its place: /);
  assert.deepEqual([...Deno.readDirSync(bench.root)].map(({ name }) => name), ["a"]);
});

Deno.test("Go templates are filled in after variables, by whoever can", async () => {
  using bench = new Bench();
  bench.add({ target: "a", template: true }, "###ZARF_VAR_A### {{ x }}");
  bench.add({ target: "b" }, "{{ x }}");
  await bench.place({
    fillTemplates: ([one]) => Promise.resolve([`${one?.name}: ${one?.text}`]),
  });
  assert.deepEqual(bench.tree("work"), {
    "work/a": '600 file "a": value {{ x }}',
    "work/b": "600 {{ x }}",
  });
});
