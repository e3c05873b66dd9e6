import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type Json, mutateBytes, mutateJson } from "./mutate.ts";
import { Random } from "./random.ts";
import { tarBytes } from "../fixtures/tar_writer.ts";
import { entriesOf, filesIn, filesOf, rehash, SPECS } from "./corpus.ts";
import { TARGETS } from "./targets.ts";

Deno.test("equal seeds give equal numbers, other seeds others", () => {
  const numbers = (seed: string) => {
    const random = new Random(seed);
    return Array.from({ length: 50 }, () => random.below(1_000_000));
  };
  assert.deepEqual(numbers("a"), numbers("a"));
  assert.notDeepEqual(numbers("a"), numbers("b"));
  assert.notDeepEqual(numbers("1/tar/1"), numbers("1/tar/2"));
});

Deno.test("numbers keep their range and come everywhere in it", () => {
  const random = new Random("range");
  const seen = new Set(Array.from({ length: 2_000 }, () => random.below(10)));
  assert.deepEqual([...seen].sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  for (let times = 0; times < 2_000; times++) {
    const length = random.length(100);
    assert.ok(Number.isInteger(length) && length >= 0 && length <= 100, `${length}`);
  }
  const share = Array.from({ length: 10_000 }, () => random.percent(30)).filter(Boolean).length;
  assert.ok(share > 2_700 && share < 3_300, `${share}`);
  assert.equal(random.bytes(17).length, 17);
  assert.equal(random.pick(["only"]), "only");
  assert.throws(() => random.pick([]));
});

Deno.test("a mutation changes a copy", () => {
  const random = new Random("mutate");
  const bytes = Buffer.from("kind: ZarfPackageConfig\n");
  const value: Json = { a: [1, "b", { c: null }], d: true };
  const before = JSON.stringify(value);
  let different = 0;
  for (let times = 0; times < 200; times++) {
    if (!Buffer.from(mutateBytes(random, bytes)).equals(bytes)) different++;
    if (JSON.stringify(mutateJson(random, value)) !== before) different++;
  }
  assert.equal(bytes.toString(), "kind: ZarfPackageConfig\n");
  assert.equal(JSON.stringify(value), before);
  assert.ok(different > 300, `${different} of 400 differ`);
});

Deno.test("files whose hashes are made right again are an archive of a right package", async () => {
  const [target] = TARGETS.filter(({ name }) => name === "archive");
  for (const spec of SPECS) {
    const files = filesIn(entriesOf(spec));
    files.set("values.yaml", Buffer.from("a: 2\n"));
    const tar = tarBytes(rehash(files));
    assert.equal(await target?.run(tar), "accepted");
    assert.deepEqual([...filesOf(tar).keys()].sort(), [...files.keys()].sort());
  }
});

Deno.test("an input follows from its seed alone", () => {
  for (const target of TARGETS) {
    const make = () => target.generate(new Random(`seed/${target.name}/7`));
    assert.ok(Buffer.from(make()).equals(make()), target.name);
  }
});
