import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { load } from "js-yaml";
import { withDirectory } from "../../test/fakes/testing.ts";
import { buildPackage, type PackageSpec, sha256 } from "../../test/fixtures/make_package.ts";
import { keyPair, signed } from "../../test/fixtures/sign_package.ts";
import { splitPackage } from "../../test/fixtures/split_package.ts";
import { unpackPackage } from "../../test/fixtures/unpack_package.ts";
import { badPackages, fileName } from "../../test/zoo/mod.ts";
import { EXIT } from "./exit_codes.ts";
import { run, type Said } from "./testing.ts";

const PACKAGES = fileURLToPath(new URL("../../test/fixtures/packages", import.meta.url));
const KEY = `--trust-key=${PACKAGES}/app-signed.pub`;

/** Verifies a package that is made for it. */
async function verify(spec: PackageSpec, ...flags: readonly string[]): Promise<Said> {
  return await withDirectory(async (dir) => {
    const path = `${dir}/package.${spec.format ?? "tar.zst"}`;
    await Deno.writeFile(path, buildPackage(spec));
    return await run("package", "verify", path, ...flags);
  });
}

interface Known {
  readonly file: string;
  readonly flags?: readonly string[];
  readonly expected: Readonly<Record<string, unknown>>;
}

const known: readonly Known[] = [
  {
    file: "zarf-package-app-chart-amd64-1.2.3.tar.zst",
    expected: {
      name: "app-chart",
      version: "1.2.3",
      architecture: "amd64",
      signature: "Unsigned",
      digest: "sha256:da5a8785c92c4e0fe4f17cb17b8b4a336f01add4113326b003a6258b5cad3bf8",
      ociDigest: "sha256:2436c65319603b3c7ecdb5b942146055d340a54a37d73041ef0737654d7e2527",
      images: 4,
      blobs: 23,
      warnings: [],
    },
  },
  {
    file: "zarf-package-app-signed-amd64-1.0.0.tar.zst",
    expected: { name: "app-signed", signature: "Unverified", signedBy: undefined },
  },
  {
    file: "zarf-package-app-signed-amd64-1.0.0.tar.zst",
    flags: [KEY],
    expected: { name: "app-signed", signature: "Verified", signedBy: "b7cdfef8572b7c9b" },
  },
  {
    file: "zarf-package-test-uncompressed-amd64-0.0.1.tar",
    expected: {
      name: "test-uncompressed",
      warnings: ["zarf.yaml has fields that nobody looks at: build.lastNonBreakingVersion"],
    },
  },
  {
    file: "zarf-package-hello-amd64-0.1.0.tar.zst",
    expected: { name: "hello", version: "0.1.0", signature: "Unsigned", warnings: [] },
  },
];

for (const { file, flags = [], expected } of known) {
  Deno.test(`${[file, ...flags.map(() => "with its key")].join(" ")} is good`, async () => {
    const path = `${PACKAGES}/${file}`;
    const { code, out, err } = await run("package", "verify", path, ...flags, "-o", "json");
    assert.deepEqual([code, err], [EXIT.done, ""]);
    const said = JSON.parse(out);
    assert.equal(said.file, path);
    assert.equal(said.bytes.archive, Deno.statSync(path).size);
    for (const [key, value] of Object.entries(expected)) assert.deepEqual(said[key], value, key);
    const yaml = await run("package", "verify", path, ...flags, "-o", "yaml");
    assert.deepEqual(load(yaml.out), said);
  });
}

Deno.test("people are told what is known, and that all of it was read", async () => {
  const path = `${PACKAGES}/zarf-package-app-signed-amd64-1.0.0.tar.zst`;
  const { out } = await run("package", "verify", path, KEY);
  assert.deepEqual(out.split("\n"), [
    "name          app-signed",
    "description   A small web application from raw manifests",
    "version       1.0.0",
    "architecture  amd64",
    "digest        sha256:081cf0ad200d0ad15fdf03942d9dbda2f422cd85bac494184b361faf845f0434",
    "OCI digest    sha256:d977d518701c81996d98e08bc9c993291a0194d529702b78ae408db8b6e9a940",
    "signature     Verified by b7cdfef8572b7c9b",
    "size          3.5 MB, unpacked 3.5 MB",
    "images        1, in 5 blobs",
    "",
    "COMPONENT  DEPLOYED  IMAGES  CHARTS  MANIFESTS",
    "web        always    1       0       3",
    "",
    "The package is whole and would be taken in.",
    "",
  ]);
});

Deno.test("what says how a component is chosen is told, and what kind a package is", async () => {
  const { out } = await verify({
    components: [
      { name: "a" },
      { name: "b", required: false, definition: { default: true } },
      { name: "c", required: false, definition: { imageArchives: [] } },
    ],
    images: [],
    hooks: {
      definition(definition) {
        definition["kind"] = "ZarfInitConfig";
        definition.build["flavor"] = "upstream";
        definition.metadata["description"] = "line\nbreak \x1b[31m";
      },
    },
  });
  assert.match(out, /^kind +ZarfInitConfig$/m);
  assert.match(out, /^flavor +upstream$/m);
  assert.match(out, /^description +line break {2}\[31m$/m);
  assert.match(out, /^a +always .*\nb +by default .*\nc +no /m);
  assert.doesNotMatch(out, /^warning +the agent would not deploy it/m);
});

Deno.test("a package of which somebody must choose a component says so", async () => {
  const group = { required: false, definition: { group: "db" } };
  const { out } = await verify({
    components: [{ name: "a", ...group }, { name: "b", ...group }],
    images: [],
  });
  assert.match(out, /^warning +the agent would not deploy it: .* choose one of a, b$/m);
});

Deno.test("fields that nobody looks at are named, but not without end", async () => {
  const fields = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`x${index}`, 1]));
  const { code, out } = await verify(
    { hooks: { definition: ({ metadata }) => void Object.assign(metadata, fields) } },
    "--output=json",
  );
  assert.equal(code, EXIT.done);
  const [warning] = JSON.parse(out).warnings;
  assert.match(warning, /: metadata\.x0, metadata\.x1, .*, metadata\.x9 and 2 more$/);
});

Deno.test("a package for another processor is good, unless a node is named", async () => {
  const arm = { architecture: "arm64" };
  assert.match((await verify(arm)).out, /^architecture +arm64$/m);
  assert.equal((await verify(arm, "--architecture=arm64")).code, EXIT.done);
  const { code, out, err } = await verify(arm, "--architecture=amd64");
  assert.deepEqual([code, out], [EXIT.refusedPackage, ""]);
  assert.match(err, /for arm64, this node is amd64/);
});

for (const content of ["no manifest\n", "", "{}}", " \n[]"]) {
  Deno.test(`${JSON.stringify(content)} in place of a manifest is refused as by the agent`, async () => {
    const { code, err } = await verify({
      images: [{ reference: "docker.io/library/a:1", layers: [content] }],
      hooks: {
        index({ manifests: [image] }) {
          Object.assign(image ?? {}, { digest: `sha256:${sha256(content)}`, size: content.length });
        },
      },
    });
    assert.equal(code, EXIT.refusedPackage);
    assert.match(err, /images: manifest sha256:\w+: is not (JSON|a JSON object)[:;]/);
  });
}

const trust: readonly (readonly [string, PackageSpec, RegExp])[] = (() => {
  const pair = keyPair();
  return [
    ["is not signed", {}, /is not signed/],
    ["was signed by another key", { hooks: signed(pair) }, /none of the trusted keys/],
    [
      "was changed after it was signed",
      { hooks: signed(pair, { tamper: (yaml) => yaml.replace("sample", "simple") }) },
      /made over another zarf\.yaml/,
    ],
  ];
})();

for (const [what, spec, says] of trust) {
  Deno.test(`with a key, a package that ${what} is refused`, async () => {
    const { code, out, err } = await verify(spec, KEY);
    assert.deepEqual([code, out], [EXIT.refusedPackage, ""]);
    assert.match(err, says);
    assert.match(err, /^holdfast: .+; nothing of the package was taken in; .+\n$/);
  });
}

Deno.test("every bad package is refused, and the part that is wrong is named", async (t) => {
  await withDirectory(async (dir) => {
    for (const bad of badPackages()) {
      await t.step(fileName(bad), async () => {
        const path = `${dir}/${fileName(bad)}`;
        await Deno.writeFile(path, bad.make());
        // The tests' nodes are amd64; some of the packages are not.
        const flags = ["--architecture=amd64"];
        if (bad.key !== undefined) {
          await Deno.writeTextFile(`${dir}/key.pub`, bad.key);
          flags.push(`--trust-key=${dir}/key.pub`);
        }
        const { code, out, err } = await run("package", "verify", path, ...flags);
        assert.equal(code, EXIT.refusedPackage, err);
        assert.equal(out, "");
        assert(err.includes(bad.part), err);
        await Deno.remove(path);
      });
    }
  });
});

Deno.test("a package is the same split into parts, and unpacked into a directory", () =>
  withDirectory(async (dir) => {
    const name = "package.tar.zst";
    const bytes = buildPackage();
    await Deno.writeFile(`${dir}/${name}`, bytes);
    await Deno.mkdir(`${dir}/parts`);
    for (const [part, content] of splitPackage(name, bytes, 1_000)) {
      await Deno.writeFile(`${dir}/parts/${part}`, content);
    }
    unpackPackage(`${dir}/unpacked`);
    const known = async (path: string) => {
      const { code, out, err } = await run("package", "verify", path, "-o", "json");
      assert.equal(code, EXIT.done, err);
      const { file, bytes: { content }, ...rest } = JSON.parse(out);
      assert.equal(file, path);
      return { ...rest, content };
    };
    const whole = await known(`${dir}/${name}`);
    const others = [`parts/${name}`, `parts/${name}.part000`, `parts/${name}.part002`, "unpacked"];
    for (const path of others) assert.deepEqual(await known(`${dir}/${path}`), whole, path);
  }));

Deno.test("of a split package the sum of all parts counts, and a part that is missing is named", () =>
  withDirectory(async (dir) => {
    const name = "package.tar.zst";
    const parts = splitPackage(name, buildPackage(), 1_000, { Sha256Sum: "0".repeat(64) });
    for (const [part, content] of parts) await Deno.writeFile(`${dir}/${part}`, content);
    const wrong = await run("package", "verify", `${dir}/${name}.part000`);
    assert.deepEqual([wrong.code, wrong.out], [EXIT.refusedPackage, ""], wrong.err);
    await Deno.remove(`${dir}/${name}.part001`);
    const missing = await run("package", "verify", `${dir}/${name}.part000`);
    // The agent would wait for it: this is no package that was refused.
    assert.deepEqual([missing.code, missing.out], [EXIT.failed, ""]);
    assert.match(missing.err, /part001.*; copy what is missing beside the other parts$/m);
  }));

Deno.test("a file that is not there is a failure, not a refusal", async () => {
  const { code, out, err } = await run("package", "verify", "/nowhere/package.tar.zst");
  assert.deepEqual([code, out], [EXIT.failed, ""]);
  assert.match(err, /^holdfast: \/nowhere\/package\.tar\.zst cannot be read: No such file/);
});

const GOOD = `${PACKAGES}/zarf-package-hello-amd64-0.1.0.tar.zst`;
const misuse: readonly (readonly [string, readonly string[], RegExp])[] = [
  ["no package", [], /missing required argument 'PACKAGE'/],
  ["two packages", [GOOD, GOOD], /too many arguments/],
  ["a key that is not there", [GOOD, "--trust-key=/no.pub"], /\/no\.pub cannot be read/],
  ["a key that is none", [GOOD, `--trust-key=${GOOD}`], /cannot be used|more than \d+ bytes/],
  [
    "an architecture that is none",
    [GOOD, "--architecture=vax"],
    /Allowed choices are amd64, arm64/,
  ],
  ["a format that is none", [GOOD, "--output=xml"], /Allowed choices are table, json, yaml/],
];

for (const [what, argv, says] of misuse) {
  Deno.test(`${what} is wrong use, and nothing is read`, async () => {
    const { code, out, err } = await run("package", "verify", ...argv);
    assert.deepEqual([code, out], [EXIT.wrongUse, ""], err);
    assert.match(err, says);
    assert.doesNotMatch(err, /agent does not start/);
  });
}
