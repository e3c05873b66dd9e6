import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { withDirectory } from "../../test/fakes/testing.ts";
import { buildPackage } from "../../test/fixtures/make_package.ts";
import { tarBytes, type TarEntrySpec } from "../../test/fixtures/tar_writer.ts";
import { EXIT } from "./exit_codes.ts";
import { run, type Said } from "./testing.ts";

const PACKAGES = fileURLToPath(new URL("../../test/fixtures/packages", import.meta.url));
const SMALL = `${PACKAGES}/zarf-package-app-small-amd64-0.0.1.tar.zst`;

/** Every file below a directory with its text. */
function filesBelow(directory: string, prefix = ""): Record<string, string> {
  const files: Record<string, string> = {};
  for (const { name, isDirectory } of Deno.readDirSync(directory)) {
    const path = `${directory}/${name}`;
    if (isDirectory) Object.assign(files, filesBelow(path, `${prefix}${name}/`));
    else files[`${prefix}${name}`] = Deno.readTextFileSync(path);
  }
  return files;
}

Deno.test("SBOMs come into a directory of the package's name, and their paths are printed", () =>
  withDirectory(async (dir) => {
    const argv = ["package", "inspect", "sbom", SMALL, `--output-dir=${dir}/deep/er`];
    const { code, out, err } = await run(...argv);
    assert.deepEqual([code, err], [EXIT.done, ""]);
    const files = filesBelow(`${dir}/deep/er`);
    const names = [
      "app-small/ghcr.io_holdfast-lab_webapp_1.0.0.json",
      "app-small/sbom-viewer-ghcr.io_holdfast-lab_webapp_1.0.0.html",
    ];
    assert.deepEqual(Object.keys(files).sort(), names);
    assert.deepEqual(out.trimEnd().split("\n"), names.map((name) => `${dir}/deep/er/${name}`));
    assert.equal(typeof JSON.parse(files[names[0] ?? ""] ?? ""), "object");
    const again = await run(...argv, "-o", "json");
    assert.deepEqual(JSON.parse(again.out), out.trimEnd().split("\n"));
    assert.deepEqual(filesBelow(`${dir}/deep/er`), files, "what was there is written again");
  }));

Deno.test("without a directory they come into the one that the command runs in", () =>
  withDirectory(async (dir) => {
    const main = fileURLToPath(import.meta.resolve("../../main.ts"));
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", main, "package", "inspect", "sbom", SMALL],
      cwd: dir,
    }).output();
    assert.equal(code, EXIT.done);
    assert.match(new TextDecoder().decode(stdout), RegExp(`^${dir}/app-small/\\S+\\.json\n`));
    assert.equal(Object.keys(filesBelow(`${dir}/app-small`)).length, 2);
  }));

const DOCUMENTS: TarEntrySpec[] = [
  { name: "readme-README.md", content: "# one\n" },
  { name: "other-README.md", content: "# two\n" },
  { name: "changes.md", content: "- three\n" },
];
const KEYS = { readme: "README.md", other: "docs/README.md", changes: "./docs/changes.md" };

/** Extracts the documentation of a package that is made for it. */
function documentation(
  dir: string,
  flags: readonly string[] = [],
  documents: readonly TarEntrySpec[] = DOCUMENTS,
  keys: Readonly<Record<string, string>> | undefined = KEYS,
): Promise<Said> {
  Deno.writeFileSync(
    `${dir}/package.tar.zst`,
    buildPackage({
      files: { "documentation.tar": tarBytes(documents) },
      hooks: {
        definition: (definition) => void Object.assign(definition, { documentation: keys }),
      },
    }),
  );
  const argv = ["package", "inspect", "documentation", `${dir}/package.tar.zst`];
  return run(...argv, `--output-dir=${dir}/out`, ...flags);
}

Deno.test("documents have their own names, and their key before it where two have the same", () =>
  withDirectory(async (dir) => {
    const { code, err } = await documentation(dir);
    assert.deepEqual([code, err], [EXIT.done, ""]);
    assert.deepEqual(filesBelow(`${dir}/out`), {
      "sample-documentation/readme-README.md": "# one\n",
      "sample-documentation/other-README.md": "# two\n",
      "sample-documentation/changes.md": "- three\n",
    });
  }));

Deno.test("only the documents that were asked for are written", () =>
  withDirectory(async (dir) => {
    const { out } = await documentation(dir, ["--keys", "changes, other"]);
    const names = ["changes.md", "other-README.md"];
    const paths = names.map((name) => `${dir}/out/sample-documentation/${name}\n`);
    assert.equal(out, paths.join(""));
    assert.deepEqual(
      Object.keys(filesBelow(`${dir}/out`)).sort(),
      names.map((name) => `sample-documentation/${name}`),
    );
  }));

const none: readonly (readonly [string, (dir: string) => Promise<Said>, RegExp])[] = [
  [
    "an SBOM that is not there",
    (dir) =>
      run(
        ...["package", "inspect", "sbom", `--output-dir=${dir}/out`],
        `${PACKAGES}/zarf-package-app-chart-amd64-1.2.3.tar.zst`,
      ),
    /app-chart holds no SBOM; nothing was written$/m,
  ],
  [
    "documentation that is not there",
    (dir) => documentation(dir, [], [], {}),
    /sample holds no documentation; nothing was written$/m,
  ],
  [
    "a key that is not there",
    (dir) => documentation(dir, ["--keys=readme,nothing"]),
    /no documentation "nothing"; nothing was written; the keys are: readme, other, changes$/m,
  ],
  [
    "a key that every object has",
    (dir) => documentation(dir, ["--keys=toString"]),
    /no documentation "toString"/,
  ],
  [
    "a document that is not there",
    (dir) => documentation(dir, [], DOCUMENTS.slice(1)),
    /the package has no readme-README\.md; nothing was written$/m,
  ],
];

for (const [what, command, says] of none) {
  Deno.test(`${what} is a failure, and nothing is written`, () =>
    withDirectory(async (dir) => {
      const { code, out, err } = await command(dir);
      assert.deepEqual([code, out], [EXIT.failed, ""], err);
      assert.match(err, says);
      assert.deepEqual(filesBelow(`${dir}/out`), {});
    }));
}

const unsafe: readonly (readonly [string, TarEntrySpec])[] = [
  ["leaves its directory", { name: "../evil" }],
  ["is absolute", { name: "/evil" }],
  ["is a link", { name: "evil", type: "symlink", linkTarget: "/etc" }],
];

for (const [what, entry] of unsafe) {
  Deno.test(`an archive in the package with an entry that ${what} is refused`, () =>
    withDirectory(async (dir) => {
      const { code, out, err } = await documentation(dir, [], [...DOCUMENTS, entry]);
      assert.deepEqual([code, out], [EXIT.refusedPackage, ""]);
      assert.match(err, /^holdfast: documentation\.tar: /);
      assert.deepEqual(filesBelow(dir), {
        "package.tar.zst": Deno.readTextFileSync(`${dir}/package.tar.zst`),
      });
    }));
}
