import assert from "node:assert/strict";
import { withDirectory } from "../../../test/fakes/testing.ts";
import { outputsOf, requestOf } from "./main.ts";
import { referenceOf } from "./image.ts";
import { noticeText } from "./bill.ts";
import { sizeTable } from "./size_table.ts";

const MACHINE = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
const OTHER = MACHINE === "amd64" ? "arm64" : "amd64";
const MAIN = new URL("main.ts", import.meta.url).pathname;

const requests: [args: string[], expected: ReturnType<typeof requestOf>][] = [
  [[], { architecture: MACHINE, root: "" }],
  [["--arch", "arm64"], { architecture: "arm64", root: "" }],
  [["--arch=amd64", "--root", "/srv/debian/"], { architecture: "amd64", root: "/srv/debian" }],
  [["--root", "/"], { architecture: MACHINE, root: "" }],
  [["--arch", "riscv64"], undefined],
  [["--fast"], undefined],
  [["arm64"], undefined],
];

for (const [args, expected] of requests) {
  Deno.test(`"extension ${args.join(" ")}" is ${expected ? "understood" : "refused"}`, () => {
    assert.deepEqual(requestOf(args), expected);
  });
}

Deno.test("the image of another processor does not take the place of this machine's", () => {
  assert.notEqual(outputsOf(OTHER).layout, outputsOf(MACHINE).layout);
  assert.notEqual(outputsOf(OTHER).archive, outputsOf(MACHINE).archive);
});

Deno.test("a version with a commit becomes a tag", () => {
  assert.match(referenceOf("0.1.0+4f2a1c9.dirty"), /:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/);
});

/** Runs the task, which must fail, and gives its last line. */
async function refusal(args: string[], env: Record<string, string> = {}): Promise<string> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", MAIN, ...args],
    env: { NO_COLOR: "1", ...env },
  }).output();
  assert.equal(code, args.includes("--fast") ? 2 : 1);
  return new TextDecoder().decode(stderr);
}

Deno.test("a wrong command line ends with 2 and the usage", async () => {
  assert.match(await refusal(["--fast"]), /^usage: deno task extension/m);
});

Deno.test("what is missing of Debian is said with the command that brings it", async () => {
  await withDirectory(async (root) => {
    const said = await refusal(["--root", root]);
    assert.match(said, /Debian's busybox-static and git, which is not there/);
    assert.match(said, /apt-get install -y busybox-static git/);
  });
});

Deno.test("without a base binary for the other processor there is no image for it", async () => {
  await withDirectory(async (root) => {
    for (const path of ["usr/bin/busybox", "usr/lib/git-core/git-remote-http"]) {
      await Deno.mkdir(`${root}/${path.replace(/\/[^/]*$/, "")}`, { recursive: true });
      await Deno.writeTextFile(`${root}/${path}`, "");
    }
    const args = ["--root", root, "--arch", OTHER];
    assert.match(
      await refusal(args, { DENORT_BIN: "" }),
      /set DENORT_BIN to denort of the release/,
    );
    const own = await refusal(args, { DENORT_BIN: Deno.execPath() });
    assert.match(own, new RegExp(`is for ${MACHINE}, not for ${OTHER}`));
  });
});

Deno.test("the table of sizes has the largest part first, and what it comes to", () => {
  const parts = [{ name: "git", bytes: 6_000_000 }, { name: "holdfast", bytes: 99_000_000 }];
  const layer = { mediaType: "", digest: "sha256:0", size: 40_500_000 } as const;
  assert.deepEqual(
    sizeTable({ parts, layer: layer as never }).split("\n").map((line) => line.replace(/ +/g, " ")),
    ["holdfast 99.0 MB", "git 6.0 MB", "unpacked 105.0 MB", "the layer, compressed 40.5 MB"],
  );
});

Deno.test("a licence that several share is there once, below the names of all", () => {
  const one = { name: "a", version: "1", purl: "", notice: "MIT text\n" };
  const text = noticeText([one, { ...one, name: "b" }, { ...one, name: "c", notice: "other" }]);
  assert.equal(text.match(/MIT text/g)?.length, 1);
  assert.match(text, /^a 1\nb 1\n\nMIT text\n/);
  assert.match(text, /c 1\n\nother\n$/);
});
