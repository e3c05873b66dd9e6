import assert from "node:assert/strict";
import { withDirectory } from "../../../test/fakes/testing.ts";
import { debianPackages } from "./debian.ts";

/** Debian's own shell is there wherever dpkg is. */
const debian = await Deno.stat("/var/lib/dpkg/info/dash.list").then(() => true, () => false);

Deno.test({
  name: "files are traced to Debian packages with version, source and copyright",
  ignore: !debian,
  async fn() {
    const loader = Deno.build.arch === "aarch64"
      ? "/lib/ld-linux-aarch64.so.1"
      : "/lib64/ld-linux-x86-64.so.2";
    const found = await debianPackages([loader, "/bin/dash", "/usr/bin/dash", "/usr/bin/dpkg"]);
    assert.deepEqual(found.map(({ name }) => name), ["dash", "dpkg", "libc6"]);
    for (const { name, version, purl, comment, notice } of found) {
      assert.match(version, /^\d/);
      assert(purl.startsWith(`pkg:deb/debian/${name}@`), purl);
      assert.match(comment ?? "", /^made from the Debian source package \S+ \d\S+$/);
      assert.match(notice, /GPL|BSD|MIT/);
    }
  },
});

Deno.test({
  name: "a file that no package brought cannot be accounted for",
  ignore: !debian,
  async fn() {
    await withDirectory(async (dir) => {
      await Deno.writeTextFile(`${dir}/tool`, "x");
      await assert.rejects(debianPackages([`${dir}/tool`]), /is of no Debian package/);
    });
  },
});
