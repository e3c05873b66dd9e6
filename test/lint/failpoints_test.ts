import assert from "node:assert/strict";
import { ETCD_FAILPOINTS, ETCD_VOID_FAILPOINTS } from "../../src/agent/mod.ts";
import { BOOTSTRAP_FAILPOINTS, REPLACE_FAILPOINTS } from "../../src/bootstrap/mod.ts";
import { DEPLOY_FAILPOINTS, INJECTION_FAILPOINTS } from "../../src/deploy/mod.ts";
import { DROP_FAILPOINTS } from "../../src/drop/mod.ts";
import { GIT_FAILPOINTS } from "../../src/git/mod.ts";
import {
  CLEANING_FAILPOINTS,
  REGISTRY_STORAGE_FAILPOINTS,
  STORE_FAILPOINTS,
  UPKEEP_FAILPOINTS,
} from "../../src/store/mod.ts";

const ROOT = new URL("../../", import.meta.url);
/** Those of files that are replaced whole have their names from std. */
const VERDICTS = ["verdict", "kept"].flatMap((file) =>
  ["written", "renamed", "synced"].map((step) => `status.${file}.${step}`)
);
const ALL: readonly string[] = [
  ...STORE_FAILPOINTS,
  ...UPKEEP_FAILPOINTS,
  ...CLEANING_FAILPOINTS,
  ...REGISTRY_STORAGE_FAILPOINTS,
  ...DROP_FAILPOINTS,
  ...VERDICTS,
  ...BOOTSTRAP_FAILPOINTS,
  ...REPLACE_FAILPOINTS,
  ...DEPLOY_FAILPOINTS,
  ...INJECTION_FAILPOINTS,
  ...GIT_FAILPOINTS,
  ...ETCD_FAILPOINTS,
  ...ETCD_VOID_FAILPOINTS,
];

/** Texts of all files of the program. */
function* sources(directory: URL): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(directory)) {
    if (isDirectory) yield* sources(new URL(`${name}/`, directory));
    else if (/\.ts$/.test(name) && !/_test(_child)?\.ts$/.test(name)) {
      yield Deno.readTextFileSync(new URL(name, directory));
    }
  }
}

Deno.test("docs/failpoints.md lists exactly the failpoints there are", () => {
  const text = Deno.readTextFileSync(new URL("docs/failpoints.md", ROOT));
  const cells = text.split("\n").filter((line) => line.startsWith("| `")).map((line) =>
    line.split("|")[1] ?? ""
  );
  const listed = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name));
  assert.deepEqual(listed.toSorted(), ALL.toSorted());
});

Deno.test("every failpoint that is passed anywhere is on a list", () => {
  const passed = [...sources(new URL("src/", ROOT))].flatMap((text) =>
    [...text.matchAll(/[fF]ailpoint\("([^"]+)"\)/g)].map(([, name = ""]) => name)
  );
  assert.ok(passed.length > 50);
  assert.deepEqual(passed.filter((name) => !ALL.includes(name)), []);
});
