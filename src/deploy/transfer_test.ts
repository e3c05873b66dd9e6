import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import type { ExecResult } from "../std/mod.ts";
import type { TargetPod } from "./injection_pods.ts";
import { type KubectlInput, Transfer } from "./transfer.ts";

const POD = { name: "one", namespace: "n" } as TargetPod;
const TARGET = { namespace: "n", selector: "a=b", container: "loader", path: "/to/a b" };

function answering(answer: Partial<ExecResult>) {
  const calls: (readonly string[])[] = [];
  const kubectl: KubectlInput = async (args, _, input) => {
    calls.push(args);
    if (input !== undefined) {
      for await (const _ of input as AsyncIterable<Uint8Array>) { /* As a tar that reads all. */ }
    }
    return { code: 0, timedOut: false, stdout: "", stderr: "", ...answer };
  };
  return { calls, kubectl };
}

Deno.test("kubectl is called with plain arguments, whatever is in them", () =>
  withDirectory(async (source) => {
    const { calls, kubectl } = answering({});
    for (const compress of [false, true]) {
      const context = { kubectl, source, marker: ".m", timeout: 1_000 };
      const transfer = new Transfer({ compress, target: TARGET }, context);
      assert.equal(await transfer.data(POD), undefined);
      assert.equal(await transfer.marker(POD), undefined);
    }
    const into = ["--namespace", "n", "one", "--container", "loader", "--"];
    const untar = (
      ...flags: string[]
    ) => ["exec", "--stdin", ...into, "tar", "-x", ...flags, "-f", "-", "-C", "/to/a b"];
    const mkdir = ["exec", ...into, "mkdir", "-p", "/to/a b"];
    assert.deepEqual(calls, [mkdir, untar(), untar(), mkdir, untar("-z"), untar("-z")]);
  }));

for (
  const [what, answer, expected, final] of [
    [
      "runc has no such program",
      {
        code: 1,
        stderr:
          "error: Internal error occurred: Internal error occurred: error executing command " +
          'in container: failed to exec in container: exec: "mkdir": executable file not found in ' +
          "$PATH: unknown\n",
      },
      /^there is no mkdir in it \(.*executable file not found/,
      true,
    ],
    [
      "crun has no such program",
      { code: 127, stderr: "OCI runtime exec failed: executable file `mkdir` not found in $PATH" },
      /^there is no mkdir in it/,
      true,
    ],
    [
      "a program ends with a code",
      { code: 1, stderr: "mkdir: can't create directory '/to': Read-only file system\n" },
      /^mkdir failed: mkdir: can't create directory '\/to': Read-only file system$/,
    ],
    ["a program says nothing", { code: 137 }, /^mkdir failed: exit code 137$/],
    ["the time is up", { code: 143, timedOut: true }, /^mkdir did not end within 5 s$/],
    [
      "a file is missing that is no program",
      { code: 1, stderr: "tar: can't open '/x': No such file or directory" },
      /^mkdir failed: /,
    ],
  ] as const
) {
  Deno.test(`${what}: that is told`, () =>
    withDirectory(async (source) => {
      const { kubectl } = answering(answer);
      const context = { kubectl, source, marker: ".m", timeout: 5_000 };
      const failure = await new Transfer({ compress: false, target: TARGET }, context).data(POD);
      assert.match(failure?.why ?? "", expected);
      assert.equal(failure?.final ?? false, final ?? false);
    }));
}
