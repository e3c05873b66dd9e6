import assert from "node:assert/strict";
import { UsageError } from "../../extension/build/task.ts";
import { parseArguments } from "./arguments.ts";

const random = () => 0.5;
const DEFAULTS = { cuts: 30, fileSystems: ["ext4", "xfs"], seed: 1_073_741_823, lies: false };

for (
  const [args, expected] of [
    [[], DEFAULTS],
    [["--cuts", "300", "--seed", "7"], { ...DEFAULTS, cuts: 300, seed: 7 }],
    [["--fs", "xfs"], { ...DEFAULTS, fileSystems: ["xfs"] }],
    [["--fs=ext4,xfs", "--lies"], { ...DEFAULTS, lies: true }],
    [["--seed=0", "--cycle=12"], { ...DEFAULTS, seed: 0, cycle: 12 }],
  ] as const
) {
  Deno.test(`powercut ${args.join(" ")} is understood`, () => {
    assert.deepEqual(parseArguments(args, random), expected);
  });
}

for (
  const [args, message] of [
    [["--cuts", "0"], /--cuts takes a whole number from 1 to 10000, not 0/],
    [["--cuts", "many"], /not many/],
    [["--cuts="], /--cuts takes/],
    [["--seed", "1.5"], /--seed takes a whole number from 0/],
    [["--cycle=-1"], /--cycle takes/],
    [["--fs", "btrfs"], /--fs takes some of ext4,xfs, not btrfs/],
    [["--fs", "ext4,ext4"], /not ext4,ext4/],
    [["--fast"], /--fast/],
    [["now"], /now/],
  ] as const
) {
  Deno.test(`powercut ${args.join(" ")} is refused with a reason`, () => {
    assert.throws(
      () => parseArguments(args, random),
      (error) => error instanceof UsageError && message.test(error.message),
    );
  });
}
