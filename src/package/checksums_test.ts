import assert from "node:assert/strict";
import { type Digest, digestOf } from "../std/mod.ts";
import { ChecksumLedger, parseChecksums } from "./checksums.ts";
import { PackageError, type PackageErrorReason } from "./errors.ts";

const A = digestOf("a");
const B = digestOf("b");
const hex = (digest: Digest) => digest.slice("sha256:".length);
const bytes = (text: string) => new TextEncoder().encode(text);

function refuses(reason: PackageErrorReason, message: string, action: () => unknown): void {
  assert.throws(action, (error) => {
    assert(error instanceof PackageError, String(error));
    assert.equal(error.reason, reason);
    assert(error.message.includes(message), error.message);
    return true;
  });
}

Deno.test("checksums.txt is read, also the one of a package without files", () => {
  const listed = parseChecksums(bytes(`${hex(A)} components/a.tar\n${hex(B)} sboms.tar\n`));
  assert.deepEqual([...listed], [["components/a.tar", A], ["sboms.tar", B]]);
  for (const empty of ["", "\n", "\n\n\n"]) assert.equal(parseChecksums(bytes(empty)).size, 0);
  const long = `${"d".repeat(249)}/`.repeat(4).slice(0, -1);
  const rest = `\n${hex(A)} ${long}\n\n${hex(B)} last`;
  assert.deepEqual([...parseChecksums(bytes(rest))], [[long, A], ["last", B]]);
});

Deno.test("a checksums.txt that cannot be right is refused with the line", async (t) => {
  const good = `${hex(A)} a\n`;
  const cases: [string, string, string][] = [
    ["a short hash", `${good}abc b\n`, "line 2 does not have the form"],
    ["an upper-case hash", `${hex(A).toUpperCase()} a\n`, "line 1"],
    ["two spaces", `${hex(A)}  a\n`, "line 1"],
    ["a name with a space", `${hex(A)} a b\n`, "line 1"],
    ["no name", `${hex(A)} \n`, "line 1"],
    ["a name twice", good + good, "line 2 lists a a second time"],
    ["a name that is not normal", `${hex(A)} ./a\n`, "impossible path ./a"],
    ["itself", `${hex(A)} checksums.txt\n`, "lists checksums.txt"],
    ["zarf.yaml", `${hex(A)} zarf.yaml\n`, "lists zarf.yaml"],
    ["a carriage return", `${hex(A)} a\r\n`, "line 1"],
    ["a byte order mark", `\ufeff${hex(A)} a\n`, "line 1"],
    ["a line after many empty ones", `${"\n".repeat(1000)}x`, "line 1001"],
    ["an endless path", `${hex(A)} ${"./".repeat(4 << 20)}\n`, "line 1 has 8388673 characters"],
    ["a path longer than any in an archive", `${hex(A)} ${"n".repeat(1001)}\n`, "line 1 has 1066"],
  ];
  for (const [name, text, message] of cases) {
    await t.step(name, () => {
      refuses("InvalidChecksums", message, () => parseChecksums(bytes(text)));
    });
  }
  refuses("InvalidChecksums", "is not text", () => parseChecksums(Uint8Array.of(0xff, 0xfe)));
  refuses("UnsafePath", "../a", () => parseChecksums(bytes(`${hex(A)} ../a\n`)));
});

Deno.test("a wrong file is refused at once when the list is known, else with the list", () => {
  const message = `a: sha256 is ${hex(B)} but checksums.txt says ${hex(A)}`;
  const first = new ChecksumLedger();
  first.setList(bytes(`${hex(A)} a\n`));
  refuses("ChecksumMismatch", message, () => first.record("a", B));
  const second = new ChecksumLedger();
  second.record("a", B);
  refuses("ChecksumMismatch", message, () => second.setList(bytes(`${hex(A)} a\n`)));
});

Deno.test("the list and the files must be the same, but for provenance", () => {
  const ledger = () => {
    const made = new ChecksumLedger();
    made.setList(bytes(`${hex(A)} a\n`));
    return made;
  };
  const short = ledger();
  refuses("MissingFile", "a: is not in the package", () => short.finish([]));
  const exact = ledger();
  for (const path of ["a", "zarf.yaml", "checksums.txt", "zarf.yaml.sig", "zarf.bundle.sig"]) {
    exact.record(path, A);
  }
  exact.finish([]);
  exact.record("extra.json", B);
  refuses("UnlistedFile", "extra.json: is in the package", () => exact.finish(["other"]));
  exact.finish(["extra.json"]);
  refuses("MissingFile", "checksums.txt", () => new ChecksumLedger().finish([]));
});
