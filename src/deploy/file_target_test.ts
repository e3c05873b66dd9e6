import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { parseDefinition } from "../package/mod.ts";
import { DeployError } from "./errors.ts";
import { checkFiles, resolveTarget, staysBelow } from "./file_target.ts";

const PLACES = {
  work: "/d/work",
  home: "/d/home",
  temp: "/d/package",
  roots: ["/opt/app", "/srv/"],
};

Deno.test("targets lead into the deployment's directory or below a root, or nowhere", () => {
  const rows: [target: string, path: string | undefined, root?: string][] = [
    ["file", "/d/work/file", "/d/work"],
    ["a/./b//c", "/d/work/a/b/c", "/d/work"],
    ["../home/x", "/d/home/x", "/d/home"],
    ["../../etc/passwd", undefined],
    ["~/.config/x", "/d/home/.config/x", "/d/home"],
    ["~", "/d/home", "/d/home"],
    ["~root/x", undefined],
    ["###ZARF_TEMP###/x", "/d/package/x", "/d/package"],
    ["/opt/app/bin/x", "/opt/app/bin/x", "/opt/app"],
    ["/opt/app/", "/opt/app", "/opt/app"],
    ["/opt/application/x", undefined],
    ["/opt/app/../x", undefined],
    ["/srv/x", "/srv/x", "/srv/"],
    ["/etc/passwd", undefined],
    ["a\0b", undefined],
    ["/", undefined],
  ];
  for (const [target, path, root] of rows) {
    const expected = path === undefined ? undefined : { path, root };
    assert.deepEqual(resolveTarget(target, PLACES), expected, target);
  }
  assert.equal(resolveTarget("/x/y", { ...PLACES, roots: ["/"] })?.path, "/x/y");
});

Deno.test("links on the way out of a root are seen, also those that lead nowhere yet", () =>
  withDirectory((dir) => {
    const root = `${dir}/root`;
    Deno.mkdirSync(`${root}/inside`, { recursive: true });
    Deno.mkdirSync(`${dir}/other`);
    Deno.symlinkSync("../other", `${root}/out`);
    Deno.symlinkSync(`${dir}/later`, `${root}/dangling`);
    Deno.symlinkSync("inside", `${root}/in`);
    Deno.symlinkSync("root", `${dir}/alias`);
    const rows: [path: string, expected: boolean][] = [
      ["root/new", true],
      ["root/new/deep/er", true],
      ["root/in/x", true],
      ["root/inside/x", true],
      ["root/out/x", false],
      ["root/out/new/x", false],
      ["root/dangling/x", false],
      ["root/out", true],
      ["root", true],
    ];
    for (const [path, expected] of rows) {
      assert.equal(staysBelow({ path: `${dir}/${path}`, root }), expected, path);
    }
    assert.equal(staysBelow({ path: `${dir}/alias/in/x`, root: `${dir}/alias` }), true);
    assert.equal(staysBelow({ path: `${dir}/none/x/y`, root: `${dir}/none` }), true);
  }));

Deno.test("files that would go elsewhere are refused by name, before anything is done", () =>
  withDirectory((dir) => {
    const root = `${dir}/root`;
    Deno.mkdirSync(root);
    Deno.symlinkSync("/etc", `${root}/out`);
    const rows: [file: Record<string, unknown>, roots: string[], expected: RegExp | undefined][] = [
      [{ target: "a" }, [], undefined],
      [{ target: "###ZARF_TEMP###/a", symlinks: ["~/b"] }, [], undefined],
      [
        { target: "/usr/bin/a" },
        [],
        /^component "web" puts a file to "\/usr\/bin\/a", and no directory of the node is open/,
      ],
      [{ target: "/usr/bin/a" }, [root], /"\/usr\/bin\/a", which is not below .*\/root$/],
      [{ target: `${root}/a` }, [root], undefined],
      [{ target: `${root}/out/a` }, [root], /root\/out\/a", which is not below/],
      [{ target: "a", symlinks: ["/usr/bin/a"] }, [root], /"\/usr\/bin\/a"/],
      [{ target: "a", symlinks: [`${root}/out/x`] }, [root], /out\/x/],
      [{ target: "d/a", symlinks: ["d"] }, [], /the link "d" would take the place of what "d\/a"/],
      [{ target: "a", symlinks: ["a"] }, [], /the link "a" would take the place/],
      [{ target: `${root}/a`, symlinks: [root] }, [root], /would take the place/],
      [{ target: "a", symlinks: ["~"] }, [], /would take the place/],
    ];
    for (const [file, roots, expected] of rows) {
      const { components } = parseDefinition(new TextEncoder().encode(JSON.stringify({
        kind: "ZarfPackageConfig",
        metadata: { name: "shop" },
        components: [{ name: "web", files: [{ source: "s", ...file }] }],
      })));
      if (expected === undefined) checkFiles(components, roots);
      else {
        assert.throws(() => checkFiles(components, roots), (error) => {
          assert.ok(error instanceof DeployError);
          assert.equal(error.reason, "FilesRefused");
          assert.match(error.message, expected);
          return true;
        });
      }
    }
  }));
