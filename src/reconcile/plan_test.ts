import assert from "node:assert/strict";
import { packageRecord } from "../../test/fakes/records.ts";
import type { PackageRecord } from "../store/mod.ts";
import { planPackages } from "./plan.ts";

function record(
  name: string,
  version: string,
  sequence: number,
  state: PackageRecord["state"],
): PackageRecord {
  return packageRecord({ name, version, sequence, state });
}

interface Case {
  readonly name: string;
  readonly records: readonly PackageRecord[];
  readonly deploy: readonly string[];
  readonly supersede: readonly string[];
}

const cases: readonly Case[] = [
  { name: "nothing there, nothing to do", records: [], deploy: [], supersede: [] },
  {
    name: "accepted packages are deployed in the order of acceptance",
    records: [record("b", "1", 2, "accepted"), record("a", "1", 1, "accepted")],
    deploy: ["a-1", "b-1"],
    supersede: [],
  },
  {
    name: "a deployment that was interrupted is taken up again",
    records: [record("a", "1", 1, "deploying")],
    deploy: ["a-1"],
    supersede: [],
  },
  {
    name: "what is settled is left alone",
    records: [
      record("a", "1", 1, "ready"),
      record("b", "1", 2, "failed"),
      record("c", "1", 3, "rolled-back"),
    ],
    deploy: [],
    supersede: [],
  },
  {
    name: "the running version stays until the new one is ready",
    records: [record("a", "1", 1, "ready"), record("a", "2", 2, "deploying")],
    deploy: ["a-2"],
    supersede: [],
  },
  {
    name: "the running version is superseded once the new one is ready",
    records: [record("a", "1", 1, "ready"), record("a", "2", 2, "ready")],
    deploy: [],
    supersede: ["a-1"],
  },
  {
    name: "the running version stays when the new one failed",
    records: [record("a", "1", 1, "ready"), record("a", "2", 2, "failed")],
    deploy: [],
    supersede: [],
  },
  {
    name: "a version that never ran gives way at once",
    records: [record("a", "1", 1, "failed"), record("a", "2", 2, "accepted")],
    deploy: ["a-2"],
    supersede: ["a-1"],
  },
  {
    name: "a version that was skipped is not deployed",
    records: [
      record("a", "1", 1, "ready"),
      record("a", "2", 2, "accepted"),
      record("a", "3", 3, "accepted"),
    ],
    deploy: ["a-3"],
    supersede: ["a-2"],
  },
  {
    name: "the newest of its name that somebody removed is not deployed, nor is the one before it",
    records: [record("a", "1", 1, "superseded"), record("a", "2", 2, "superseded")],
    deploy: [],
    supersede: [],
  },
  {
    name: "what is superseded stays so",
    records: [record("a", "1", 1, "superseded"), record("a", "2", 2, "ready")],
    deploy: [],
    supersede: [],
  },
];

for (const { name, records, deploy, supersede } of cases) {
  Deno.test(name, () => {
    const plan = planPackages(records);
    const names = (list: readonly PackageRecord[]) => list.map((r) => `${r.name}-${r.version}`);
    assert.deepEqual(names(plan.deploy), deploy);
    assert.deepEqual(names(plan.supersede), supersede);
  });
}
