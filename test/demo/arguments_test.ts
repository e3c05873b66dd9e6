import assert from "node:assert/strict";
import { UsageError } from "../../extension/build/task.ts";
import { parseArguments } from "./arguments.ts";

const DEFAULTS = { mode: "cluster", nodes: 1, wait: true, figures: false };

for (
  const [args, expected] of [
    [[], DEFAULTS],
    [["--nodes", "3", "--figures"], { ...DEFAULTS, nodes: 3, figures: true }],
    [["--node-only", "--no-wait"], { ...DEFAULTS, mode: "node", wait: false }],
    [["--kubeconfig", "k"], { ...DEFAULTS, mode: "own", kubeconfig: "k" }],
    [
      ["--kubeconfig=k", "--node-name=n"],
      { ...DEFAULTS, mode: "own", kubeconfig: "k", nodeName: "n" },
    ],
  ] as const
) {
  Deno.test(`demo ${args.join(" ")} is understood`, () => {
    assert.deepEqual(parseArguments(args), expected);
  });
}

for (
  const [args, message] of [
    [["--nodes", "0"], /from 1 to 9, not 0/],
    [["--nodes", "two"], /not two/],
    [["--nodes", "10"], /not 10/],
    [["--node-only", "--kubeconfig", "k"], /uses no cluster/],
    [["--node-only", "--nodes", "2"], /cluster that the demo makes/],
    [["--kubeconfig", "k", "--nodes", "2"], /cluster that the demo makes/],
    [["--node-name", "n"], /goes with --kubeconfig/],
    [["--fast"], /--fast/],
    [["package.tar.zst"], /package.tar.zst/],
  ] as const
) {
  Deno.test(`demo ${args.join(" ")} is refused with a reason`, () => {
    assert.throws(
      () => parseArguments(args),
      (error) => error instanceof UsageError && message.test(error.message),
    );
  });
}
