import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { keyPair } from "../../test/fixtures/sign_package.ts";
import { MAX_TRUSTED_KEYS } from "../package/mod.ts";
import { SettingsError } from "./settings.ts";
import { readTrustedKeys } from "./trust_keys.ts";

function refusal(paths: readonly string[]): SettingsError {
  try {
    readTrustedKeys(paths);
  } catch (error) {
    assert(error instanceof SettingsError, String(error));
    assert.equal(error.reason, "TrustKeyUnusable");
    assert.match(error.kept ?? "", /does not start/);
    return error;
  }
  assert.fail("the keys were taken");
}

const pems = (count: number) => Array.from({ length: count }, () => keyPair().pem).join("");

Deno.test("the keys of several files are trusted, each once, in their order", () =>
  withDirectory((dir) => {
    const [a, b, c] = [keyPair(), keyPair(), keyPair()];
    Deno.writeTextFileSync(`${dir}/two.pub`, `old\n${a.pem}new\n${b.pem}`);
    Deno.writeTextFileSync(`${dir}/one.pub`, c.pem);
    Deno.writeTextFileSync(`${dir}/again.pub`, b.pem);
    const keys = readTrustedKeys([`${dir}/two.pub`, `${dir}/one.pub`, `${dir}/again.pub`]);
    assert.deepEqual(keys, [a.trusted, b.trusted, c.trusted]);
    assert.deepEqual(readTrustedKeys([]), []);
  }));

const wrong: readonly (readonly [string, (path: string) => void, RegExp])[] = [
  ["a file that is not there", () => {}, /cannot be read: .*No such file/],
  ["a directory", (path) => Deno.mkdirSync(path), /cannot be read: .*directory/],
  ["an empty file", (path) => Deno.writeTextFileSync(path, ""), /no complete PEM block/],
  ["a file of something else", (path) => Deno.writeTextFileSync(path, "hello"), /no complete PEM/],
  ["no text", (path) => Deno.writeFileSync(path, new Uint8Array([255, 0])), /no complete PEM/],
  ["a file without end", (path) => Deno.symlinkSync("/dev/zero", path), /more than 65536 bytes/],
  [
    "a large file that begins with a key",
    (path) => Deno.writeTextFileSync(path, keyPair().pem + " ".repeat(65_536)),
    /more than 65536 bytes/,
  ],
];

for (const [what, make, says] of wrong) {
  Deno.test(`${what} is refused by its name, beside a good key too`, () =>
    withDirectory((dir) => {
      const bad = `${dir}/bad.pub`;
      Deno.writeTextFileSync(`${dir}/good.pub`, keyPair().pem);
      make(bad);
      for (const paths of [[bad], [`${dir}/good.pub`, bad], [bad, `${dir}/good.pub`]]) {
        const { message } = refusal(paths);
        assert.match(message, says);
        assert(message.includes(`the key file ${bad} `), message);
      }
    }));
}

Deno.test("there are never more keys than a package can be tried with", () =>
  withDirectory((dir) => {
    const half = MAX_TRUSTED_KEYS / 2;
    Deno.writeTextFileSync(`${dir}/a.pub`, pems(half));
    Deno.writeTextFileSync(`${dir}/b.pub`, pems(half));
    Deno.writeTextFileSync(`${dir}/c.pub`, pems(1));
    assert.equal(readTrustedKeys([`${dir}/a.pub`, `${dir}/b.pub`]).length, MAX_TRUSTED_KEYS);
    const all = ["a", "b", "c"].map((name) => `${dir}/${name}.pub`);
    assert.match(refusal(all).message, /there are 65 trusted keys, the limit is 64/);
  }));
