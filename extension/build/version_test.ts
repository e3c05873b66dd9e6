import assert from "node:assert/strict";
import { buildVersion } from "./version.ts";

async function git(root: string, ...args: string[]): Promise<void> {
  const identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
  const { success, stderr } = await new Deno.Command("git", {
    args: ["-C", root, ...identity, ...args],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

Deno.test("the version says from which commit a binary was made", async (t) => {
  const root = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${root}/deno.json`, '{ "version": "1.2.3" }');
    await t.step("without git it is deno.json's", async () => {
      assert.equal(await buildVersion(root), "1.2.3");
    });
    await git(root, "init", "-q");
    await t.step("without a commit it is deno.json's", async () => {
      assert.equal(await buildVersion(root), "1.2.3");
    });
    await git(root, "add", "deno.json");
    await git(root, "commit", "-q", "-m", "x");
    await t.step("a commit is build metadata", async () => {
      assert.match(await buildVersion(root), /^1\.2\.3\+[0-9a-f]{7,}$/);
    });
    await t.step("the version's own tag adds nothing", async () => {
      await git(root, "tag", "v1.2.3");
      assert.equal(await buildVersion(root), "1.2.3");
    });
    await t.step("changes that are not committed are said", async () => {
      await Deno.writeTextFile(`${root}/deno.json`, '{ "version": "1.2.3"  }');
      assert.match(await buildVersion(root), /^1\.2\.3\+[0-9a-f]{7,}\.dirty$/);
    });
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
