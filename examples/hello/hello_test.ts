import assert from "node:assert/strict";
import { load } from "js-yaml";
import { zstdDecompressSync } from "node:zlib";
import { REPOSITORY_ROOT } from "../../extension/build/go_tools.ts";
import { HELLO_VERSION, helloSource, SOURCE_LABEL } from "./build.ts";

const HERE = `${REPOSITORY_ROOT}/examples/hello`;
const FIXTURE =
  `${REPOSITORY_ROOT}/test/fixtures/packages/zarf-package-hello-amd64-${HELLO_VERSION}.tar.zst`;
const AGAIN = "make it again: deno run -A examples/hello/build.ts --output test/fixtures/packages";

async function withFixture(see: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    const archive = zstdDecompressSync(await Deno.readFile(FIXTURE));
    await Deno.writeFile(`${directory}/package.tar`, archive);
    await untar(`${directory}/package.tar`, directory);
    await see(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function untar(file: string, directory: string): Promise<void> {
  const { code, stderr } = await new Deno.Command("tar", { args: ["-xf", file, "-C", directory] })
    .output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
}

async function readYaml(path: string) {
  return load(await Deno.readTextFile(path)) as Record<string, unknown> & {
    metadata: Record<string, unknown>;
  };
}

async function readJson(path: string) {
  return JSON.parse(await Deno.readTextFile(path));
}

Deno.test("the committed package has the example's definition", () =>
  withFixture(async (directory) => {
    const { build, ...made } = await readYaml(`${directory}/zarf.yaml`);
    assert.ok(build, "the package was not made by zarf");
    delete made.metadata["aggregateChecksum"];
    assert.deepEqual(made, await readYaml(`${HERE}/zarf.yaml`), AGAIN);
    assert.equal(made.metadata["version"], HELLO_VERSION);
  }));

Deno.test("the committed package has the example's manifests, in order", () =>
  withFixture(async (directory) => {
    await untar(`${directory}/components/hello.tar`, directory);
    const packed = [...Deno.readDirSync(`${directory}/hello/manifests`)].map(({ name }) => name);
    const sources = ["namespace", "configmap", "deployment", "service"];
    assert.equal(packed.length, sources.length, AGAIN);
    for (const [at, source] of sources.entries()) {
      assert.equal(
        await Deno.readTextFile(`${directory}/hello/manifests/hello-${at}.yaml`),
        await Deno.readTextFile(`${HERE}/manifests/${source}.yaml`),
        `${source}.yaml differs; ${AGAIN}`,
      );
    }
  }));

Deno.test("the committed package's image was made from the example's source", () =>
  withFixture(async (directory) => {
    const blob = (digest: string) =>
      readJson(`${directory}/images/blobs/sha256/${digest.slice("sha256:".length)}`);
    const { manifests } = await readJson(`${directory}/images/index.json`);
    assert.equal(
      manifests[0].annotations["org.opencontainers.image.ref.name"],
      `docker.io/library/hello:${HELLO_VERSION}`,
    );
    const { config } = await blob((await blob(manifests[0].digest)).config.digest);
    assert.equal(config.Labels[SOURCE_LABEL], helloSource(), AGAIN);
    assert.equal(config.User, "65532:65532");
  }));

Deno.test("every place that names the version is the same, so that build.ts can change it", async () => {
  const deployment = await Deno.readTextFile(`${HERE}/manifests/deployment.yaml`);
  assert.deepEqual(deployment.match(/\d+\.\d+\.\d+/g), [HELLO_VERSION, HELLO_VERSION]);
  const definition = await Deno.readTextFile(`${HERE}/zarf.yaml`);
  assert.deepEqual(definition.match(/\d+\.\d+\.\d+/g), [HELLO_VERSION, HELLO_VERSION]);
});
