import assert from "node:assert/strict";
import { writeTools } from "./tools.ts";

/** A program of the same kind: it says by which name it was called. */
const PROGRAM = '#!/bin/sh\necho "${0##*/} $1"\n';

async function said(command: string): Promise<string> {
  const { stdout } = await new Deno.Command(command, { args: ["x"] }).output();
  return new TextDecoder().decode(stdout).trim();
}

Deno.test("helm and kubectl are one program under two names, replaced when it changes", async () => {
  const root = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${root}/built`, PROGRAM);
    assert.equal(await writeTools(`${root}/tools`, `${root}/built`), true);
    assert.equal(await said(`${root}/tools/helm`), "helm x");
    assert.equal(await said(`${root}/tools/kubectl`), "kubectl x");
    assert.equal(await writeTools(`${root}/tools`, `${root}/built`), false);
    const before = await Deno.stat(`${root}/tools/helm`);
    await Deno.writeTextFile(`${root}/built`, PROGRAM.replace("echo", "echo new"));
    assert.equal(await writeTools(`${root}/tools`, `${root}/built`), true);
    assert.equal(await said(`${root}/tools/kubectl`), "new kubectl x");
    const after = await Deno.stat(`${root}/tools/helm`);
    assert.notEqual(after.ino, before.ino, "a program that runs must not change under its process");
    const names = [...Deno.readDirSync(`${root}/tools`)].map(({ name }) => name).sort();
    assert.deepEqual(names, ["helm", "kubectl"]);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
