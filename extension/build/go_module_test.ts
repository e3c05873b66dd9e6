import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { moduleDirectory } from "./go_module.ts";
import { REPOSITORY_ROOT, ToolError } from "./go_tools.ts";

const PIN = "test/cluster/tools/crds";
const FLUX = "github.com/fluxcd/source-controller";

/** A copy of the pinning module with another go.sum. */
async function withSum(
  change: (sum: string) => string,
  action: (root: string) => Promise<void>,
): Promise<void> {
  await withDirectory(async (root) => {
    await Deno.mkdir(`${root}/${PIN}`, { recursive: true });
    for (const name of ["go.mod", "go.sum"]) {
      const text = await Deno.readTextFile(`${REPOSITORY_ROOT}/${PIN}/${name}`);
      await Deno.writeTextFile(`${root}/${PIN}/${name}`, name === "go.sum" ? change(text) : text);
    }
    await action(root);
  });
}

function unavailable(action: Promise<unknown>, says: RegExp): Promise<void> {
  return assert.rejects(
    action,
    (error) =>
      error instanceof ToolError && error.reason === "ModuleUnavailable" &&
      says.test(error.message),
  );
}

Deno.test("a pinned module's files are there, and the pin stays as it is", () =>
  withSum((sum) => sum, async (root) => {
    const directory = await moduleDirectory(PIN, FLUX, root);
    const names = [...Deno.readDirSync(`${directory}/config/crd/bases`)].map(({ name }) => name);
    assert(names.includes("source.toolkit.fluxcd.io_gitrepositories.yaml"), names.join(" "));
    for (const name of ["go.mod", "go.sum"]) {
      const [ours, theirs] = [REPOSITORY_ROOT, root].map((at) =>
        Deno.readTextFileSync(`${at}/${PIN}/${name}`)
      );
      assert.equal(theirs, ours);
    }
  }));

Deno.test("a module with another checksum than the pinned one is refused", () =>
  withSum((sum) => sum.replaceAll(/(source-controller v\S+ h1:)../g, "$1AA"), async (root) => {
    await unavailable(moduleDirectory(PIN, FLUX, root), /checksum mismatch/);
  }));

Deno.test("a module that is not pinned is not fetched", () =>
  unavailable(moduleDirectory(PIN, "example.test/other"), /does not require it/));
