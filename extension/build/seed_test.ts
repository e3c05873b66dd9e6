import assert from "node:assert/strict";
import { ensureTool, REPOSITORY_ROOT, TOOLS } from "./go_tools.ts";
import { pinnedRegistryVersion, seedImage, writeSeed } from "./seed.ts";

const GO_MOD = await Deno.readTextFile(`${REPOSITORY_ROOT}/${TOOLS.registry.module}/go.mod`);

async function withDir(see: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.chmod(directory, 0o755);
    await see(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function run(command: string, args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

async function layerOf(layout: string): Promise<string> {
  const read = async (path: string) => JSON.parse(await Deno.readTextFile(`${layout}/${path}`));
  const path = (digest: string) => `blobs/sha256/${digest.slice("sha256:".length)}`;
  const index = await read("index.json");
  const manifest = await read(path(index.manifests[0].digest));
  return `${layout}/${path(manifest.layers[0].digest)}`;
}

Deno.test("the tag of the seed image is the version that go.mod pins", () => {
  assert.match(pinnedRegistryVersion(GO_MOD), /^3\.\d+\.\d+$/);
  const [reference] = seedImage("/x", pinnedRegistryVersion(GO_MOD)).references;
  assert.equal(reference, `docker.io/library/registry:${pinnedRegistryVersion(GO_MOD)}`);
});

Deno.test("a go.mod without distribution is refused", () => {
  assert.throws(() => pinnedRegistryVersion("module x\n"), /does not require/);
});

Deno.test("the seed is written once, and again when the binary changes", () =>
  withDir(async (root) => {
    const binary = `${root}/registry`;
    await Deno.writeTextFile(binary, "one");
    const write = () => writeSeed(`${root}/seed`, seedImage(binary, "3.1.2"));
    assert.equal(await write(), true);
    assert.equal(await write(), false);
    const first = await layerOf(`${root}/seed`);
    await Deno.writeTextFile(binary, "two");
    assert.equal(await write(), true);
    assert.notEqual(await layerOf(`${root}/seed`), first);
    await assert.rejects(Deno.stat(first), Deno.errors.NotFound, "the old layer stayed");
    const names = [...Deno.readDirSync(root)].map(({ name }) => name).sort();
    assert.deepEqual(names, ["registry", "seed", "seed.inputs"]);
  }));

Deno.test("the image holds a registry, its configuration and nothing to log in with", () =>
  withDir(async (root) => {
    await Deno.writeTextFile(`${root}/registry`, "x");
    await writeSeed(`${root}/seed`, seedImage(`${root}/registry`, "3.1.2"));
    const listed = await run("tar", ["--numeric-owner", "-tvzf", await layerOf(`${root}/seed`)]);
    const rows = listed.trimEnd().split("\n").map((line) => {
      const [mode, owner, , , , path] = line.split(/ +/);
      return `${mode} ${owner} ${path}`;
    });
    assert.deepEqual(rows, [
      "drwxr-xr-x 0/0 bin/",
      "-rwxr-xr-x 0/0 bin/registry",
      "drwxr-xr-x 0/0 etc/",
      "drwxr-xr-x 0/0 etc/distribution/",
      "-rw-r--r-- 0/0 etc/distribution/config.yml",
      "-rw-r--r-- 0/0 etc/group",
      "-rw-r--r-- 0/0 etc/passwd",
      "drwxrwxrwt 0/0 tmp/",
      "drwxr-xr-x 0/0 var/",
      "drwxr-xr-x 0/0 var/lib/",
      "drwxr-xr-x 1000/1000 var/lib/registry/",
    ]);
  }));

/** Only root may change the root directory of a process. */
if (Deno.build.os === "linux" && Deno.uid() === 0) {
  Deno.test("the registry of the image answers, alone in it, as user 1000", () =>
    withDir(async (root) => {
      const binary = await ensureTool(TOOLS.registry);
      await writeSeed(`${root}/seed`, seedImage(binary, pinnedRegistryVersion(GO_MOD)));
      await Deno.mkdir(`${root}/image`);
      await run("tar", ["-xzpf", await layerOf(`${root}/seed`), "-C", `${root}/image`]);
      await using registry = serve(`${root}/image`);
      const address = await registry.address;
      const answer = await fetch(`http://${address}/v2/`);
      assert.equal(answer.status, 200);
      assert.equal(await answer.text(), "{}");
    }));
}

/** Starts the image's own command in its file system, on a free port of this machine. */
function serve(image: string): AsyncDisposable & { address: Promise<string> } {
  const command = ["/bin/registry", "serve", "/etc/distribution/config.yml"];
  const child = new Deno.Command("chroot", {
    args: ["--userspec=1000:1000", image, ...command],
    env: { REGISTRY_HTTP_ADDR: "127.0.0.1:0", OTEL_TRACES_EXPORTER: "none" },
    clearEnv: true,
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const log = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  return {
    address: listening(log),
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await log.cancel();
      await child.status;
    },
  };
}

async function listening(log: ReadableStreamDefaultReader<string>): Promise<string> {
  let said = "";
  for (let { done, value } = await log.read(); !done; { done, value } = await log.read()) {
    said += value;
    const address = /listening on (127\.0\.0\.1:\d+)/.exec(said)?.[1];
    if (address !== undefined) return address;
  }
  throw new Error(`the registry ended without listening: ${said}`);
}
