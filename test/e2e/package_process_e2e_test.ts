import assert from "node:assert/strict";
import { withDirectory } from "../fakes/testing.ts";
import { writePackage } from "../fixtures/make_package.ts";
import { HELLO, HOLDFAST, PACKAGES } from "./support/agent.ts";
import { holdfastPackage } from "./support/package_command.ts";

/* How the compiled program ends, what it holds in memory, and what a terminal shows meanwhile. */

const CHART = `${PACKAGES}/zarf-package-app-chart-amd64-1.2.3.tar.zst`;

Deno.test("each way to end has its code, and says why on the error output", async (t) => {
  await withDirectory(async (dir) => {
    const cut = `${dir}/cut.tar.zst`;
    const bytes = await Deno.readFile(HELLO);
    await Deno.writeFile(cut, bytes.subarray(0, bytes.length - 1_000));
    const cases: readonly (readonly [number, readonly string[], RegExp])[] = [
      [0, ["verify", HELLO], /^$/],
      [1, ["verify", `${dir}/none.tar.zst`], /^holdfast: .*none\.tar\.zst cannot be read: /],
      [1, ["inspect", "sbom", CHART, `--output-dir=${dir}`], /holds no SBOM/],
      [2, ["verify"], /missing required argument/],
      [2, ["verify", HELLO, "--trust-key=/none"], /\/none cannot be read/],
      [2, ["inspect", "everything", HELLO], /unknown command|too many arguments/],
      [3, ["verify", cut], /the file ends inside a frame.*copy the package file again/],
      [3, ["inspect", "definition", cut], /the file ends inside a frame/],
    ];
    for (const [code, args, says] of cases) {
      await t.step(`${code}: ${args.join(" ")}`, async () => {
        const ended = await holdfastPackage(...args);
        assert.equal(ended.code, code, ended.err);
        assert.match(ended.err, says);
        assert.equal(ended.out === "", code !== 0);
      });
    }
  });
});

/** The most memory that a program had, in bytes, seen from outside until it ended. */
async function peakOf(args: readonly string[]): Promise<number> {
  const child = new Deno.Command(HOLDFAST, { args: [...args], stdout: "null" }).spawn();
  let peak = 0;
  const timer = setInterval(() => {
    try {
      const status = Deno.readTextFileSync(`/proc/${child.pid}/status`);
      peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024);
    } catch {
      // It has ended.
    }
  }, 20);
  try {
    assert.equal((await child.status).code, 0);
  } finally {
    clearInterval(timer);
  }
  return peak;
}

Deno.test("a large package is verified in little memory", async () => {
  await withDirectory(async (dir) => {
    const path = `${dir}/large.tar.zst`;
    const layers = [1, 2, 3].map((seed) => ({ size: 150_000_000, seed }));
    await writePackage(path, { images: [{ reference: "docker.io/library/large:1", layers }] });
    const peak = await peakOf(["package", "verify", path]);
    assert(peak > 0 && peak < 200 * 2 ** 20, `${(peak / 2 ** 20).toFixed(0)} MiB`);
  });
});

Deno.test("on a terminal a line shows how far it is, and is gone at the end", async () => {
  await withDirectory(async (dir) => {
    const path = `${dir}/large.tar`;
    const layers = [{ size: 300_000_000, seed: 1 }];
    const images = [{ reference: "docker.io/library/large:1", layers }];
    await writePackage(path, { format: "tar", images });
    const command = `stty columns 100; ${HOLDFAST} package verify ${path} > ${dir}/out`;
    const { code, stdout } = await new Deno.Command("script", {
      args: ["--quiet", "--return", "--command", command, "/dev/null"],
      stdin: "null",
    }).output();
    assert.equal(code, 0);
    const drawings = new TextDecoder().decode(stdout).split("\r\x1b[2K");
    const [before, ...lines] = drawings;
    assert.equal(before, "");
    assert.equal(lines.pop(), "", "the last thing is that the line is taken away");
    for (const line of lines) assert.match(line, /^\[[#-]{24}\] +\d+% {2}[\d.]+ .?B of 300 MB/);
    assert(lines.length > 0);
    assert.match(await Deno.readTextFile(`${dir}/out`), /^The package is whole/m);
    const piped = await new Deno.Command(HOLDFAST, { args: ["package", "verify", path] }).output();
    assert.equal(piped.stderr.length, 0, "nothing where there is no terminal");
  });
});
