import assert from "node:assert/strict";
import { packageRecord } from "../../test/fakes/records.ts";
import { digestOf } from "../std/mod.ts";
import type { ComponentRecord, PackageRecord } from "../store/mod.ts";
import type { DeployedPackage } from "../zarf/mod.ts";
import { differs, elsewhere, READY } from "./elsewhere.ts";

const READY_COMPONENTS: readonly ComponentRecord[] = ["base", "web"].map((name) => ({
  name,
  phase: "Ready",
  message: "ready",
}));

function record(version: string, components = READY_COMPONENTS): PackageRecord {
  return packageRecord({ name: "shop", version, state: "ready", ...READY, components });
}

function recorded(
  version: string,
  status: Readonly<Record<string, string>> = { base: "Succeeded", web: "Succeeded" },
  more: Partial<DeployedPackage> = {},
): DeployedPackage {
  return {
    name: "shop",
    digest: digestOf(`shop-${version}`),
    data: { metadata: { name: "shop", version } },
    cliVersion: "v0.84.0",
    generation: 1,
    packageConnectivity: "airgap",
    deployedComponents: Object.entries(status).map(([name, status]) => ({
      name,
      status,
      installedCharts: [],
      observedGeneration: 1,
    })),
    ...more,
  };
}

interface Case {
  readonly name: string;
  readonly record?: PackageRecord;
  readonly known?: readonly PackageRecord[];
  readonly recorded: DeployedPackage | undefined;
  readonly state: "ready" | "superseded";
  readonly reason: string;
  readonly message?: RegExp;
  readonly phases?: readonly string[];
}

const cases: readonly Case[] = [
  {
    name: "a package whose record is as it was left is Ready",
    recorded: recorded("1"),
    state: "ready",
    reason: "Ready",
  },
  {
    name: "a package that somebody deployed again is Ready",
    recorded: recorded("1", { web: "Deploying", base: "Succeeded" }, { generation: 7 }),
    state: "ready",
    reason: "Ready",
  },
  {
    name: "a package without a record was removed",
    recorded: undefined,
    state: "superseded",
    reason: "Removed",
    message: /^somebody removed the package from the cluster; drop the file again to deploy it$/,
    phases: ["Removed", "Removed"],
  },
  {
    name: "a package without components has no record and is Ready",
    record: record("1", []),
    recorded: undefined,
    state: "ready",
    reason: "Ready",
    phases: [],
  },
  {
    name: "a component that the record lacks was removed",
    recorded: recorded("1", { base: "Succeeded" }),
    state: "ready",
    reason: "ComponentsRemoved",
    message: /everything else is deployed and ready; somebody removed "web" from the cluster/,
    phases: ["Ready", "Removed"],
  },
  {
    name: "a component that came back is Ready again",
    record: record("1", [
      { name: "base", phase: "Ready", message: "ready" },
      { name: "web", phase: "Removed", message: "removed from the cluster" },
    ]),
    recorded: recorded("1"),
    state: "ready",
    reason: "Ready",
  },
  {
    name: "another version from elsewhere takes the package's place",
    recorded: recorded("2"),
    state: "superseded",
    reason: "DeployedElsewhere",
    message: /^version 2 of shop was deployed from elsewhere \(Zarf v0\.84\.0\) and took its place/,
  },
  {
    name: "so does one that says neither its version nor who deployed it",
    recorded: recorded("2", {}, { data: {}, cliVersion: "", deployedComponents: [] }),
    state: "superseded",
    reason: "DeployedElsewhere",
    message: /^another one of shop was deployed from elsewhere and took its place/,
  },
  {
    name: "one that failed does not: what ran before is kept",
    recorded: recorded("2", { base: "Succeeded", web: "Failed" }),
    state: "ready",
    reason: "Ready",
  },
  {
    name: "nor does one that is on its way",
    recorded: recorded("2", { base: "Deploying", web: "Succeeded" }),
    state: "ready",
    reason: "Ready",
  },
  {
    name: "another version of this node's own is the reconciler's affair",
    known: [record("2")],
    recorded: recorded("2"),
    state: "ready",
    reason: "Ready",
  },
];

for (const { name, known = [], phases = ["Ready", "Ready"], ...one } of cases) {
  Deno.test(name, () => {
    const mine = one.record ?? record("1");
    const now = elsewhere(mine, [mine, ...known], one.recorded);
    assert.deepEqual([now.state, now.reason], [one.state, one.reason]);
    assert.match(now.message, one.message ?? /^everything in the package is deployed and ready$/);
    assert.deepEqual(now.components.map(({ phase }) => phase), phases);
    assert.deepEqual(now.components.map(({ name }) => name), mine.components.map((c) => c.name));
    const same = one.reason === "Ready" && one.record?.components[1]?.phase !== "Removed";
    assert.equal(differs(mine, now), !same);
    if (now.state === "ready") {
      assert.equal(
        differs(
          { ...mine, ...now },
          elsewhere({ ...mine, ...now }, [mine, ...known], one.recorded),
        ),
        false,
        "said once",
      );
    }
  });
}
