import assert from "node:assert/strict";
import { loadAll } from "js-yaml";
import { agentYaml } from "../../extension/build/image/service.ts";
import { readTrustedKeys } from "../../src/agent/mod.ts";
import { SITE_CONFIG } from "../../src/cli/mod.ts";
import { withDirectory } from "../fakes/testing.ts";
import { type Broken, OVERSEEN, REFUSED } from "./support/broken_talos_configs.ts";
import {
  askTalosConfig,
  oversights,
  readByAgent,
  type TalosConfig,
  type TalosPatches,
} from "./support/talos_config.ts";

/*
 * The machine configurations of examples/talos, as Talos' own code takes them.
 */

const EXAMPLES = new URL("../../examples/talos/", import.meta.url);
const NODES = {
  controlplane: "controlplane",
  worker: "worker",
  "single-node": "controlplane",
} as const satisfies Record<string, TalosPatches["type"]>;
type NodeFile = keyof typeof NODES;
const NODE_FILES = Object.keys(NODES) as NodeFile[];
/** Files that may be added to any node's. */
const ADDED = ["media", "drop-disk", "mirror", "disconnected", "trust-keys"];

function example(name: string): string {
  return Deno.readTextFileSync(new URL(`${name}.yaml`, EXAMPLES));
}

function patches(node: NodeFile, ...added: readonly string[]): TalosPatches {
  return { type: NODES[node], patches: [node, ...added].map(example) };
}

/** What Talos reads, which must be taken. */
async function taken(questions: readonly TalosPatches[]): Promise<TalosConfig[]> {
  return (await askTalosConfig(questions)).map((answer, at) => {
    assert("services" in answer, `${at}: ${JSON.stringify(answer)}`);
    return answer;
  });
}

Deno.test("every file of the folder is one of those that are tried here", () => {
  const names = [...Deno.readDirSync(EXAMPLES)].map(({ name }) => name);
  assert.deepEqual(names.sort(), [...NODE_FILES, ...ADDED].map((name) => `${name}.yaml`).sort());
});

Deno.test("Talos and the agent take each node's file, alone and with each of the others", async () => {
  const combinations = [
    ...NODE_FILES.flatMap((node) => [patches(node), patches(node, ...ADDED)]),
    ...ADDED.map((name) => patches("worker", name)),
  ];
  for (const config of await taken(combinations)) assert.deepEqual(await oversights(config), []);
});

Deno.test("packages are dropped on a volume of the node, and found on a stick that comes", async () => {
  const [plain, stick, disk] = await taken([
    patches("worker"),
    patches("worker", "media"),
    patches("worker", "drop-disk"),
  ]);
  const directory = { name: "holdfast", kind: "user", type: "directory" };
  assert.deepEqual(plain?.volumes, [directory]);
  assert.deepEqual(stick?.volumes, [
    directory,
    { name: "holdfast-media", kind: "existing", readOnly: true },
  ]);
  assert.deepEqual(disk?.volumes, [{ ...directory, type: "partition" }]);
});

Deno.test("a disk for the drop directory comes after the node's file, or Talos refuses both", async () => {
  const [answer] = await askTalosConfig([
    { type: "worker", patches: [example("drop-disk"), example("worker")] },
  ]);
  assert(answer !== undefined && "error" in answer);
  assert.match(answer.error, /provisioning spec is invalid for volumeType directory/);
});

Deno.test("a mirror leads every registry, and those of Talos by name, to the agent's own address", async () => {
  const [config] = await taken([patches("controlplane", "mirror")]);
  const registry = await defaultRegistry();
  const mirror = {
    endpoints: [{ url: `http://${registry}`, overridePath: false }],
    skipFallback: true,
  };
  const hosts = ["*", "docker.io", "gcr.io", "ghcr.io", "quay.io", "registry.k8s.io"];
  assert.deepEqual(config?.mirrors, Object.fromEntries(hosts.map((host) => [host, mirror])));
});

Deno.test("a node without the document runs with the same settings, from the image", async () => {
  const [config] = await taken([patches("worker")]);
  const written = await readByAgent(config?.services[0]?.files[SITE_CONFIG] ?? "");
  assert.deepEqual(written, await readByAgent(agentYaml()));
});

/** Where an agent serves images that is not told where. */
async function defaultRegistry(): Promise<string> {
  const settings = await readByAgent("drop-dir: /drop\n");
  assert(typeof settings !== "string", String(settings));
  return settings["registry-address"];
}

Deno.test("a site that reaches nothing outside waits for no time server and asks no service", async () => {
  const [connected, disconnected] = await taken([
    patches("controlplane"),
    patches("controlplane", "disconnected"),
  ]);
  assert.deepEqual(connected?.time.disabled, false);
  assert.equal(connected?.discovery, true);
  assert.equal(disconnected?.time.disabled, true);
  assert.equal(disconnected?.discovery, false);
});

Deno.test("what the page says to write for a time server of the site is taken", async () => {
  const said = /^# {3}ntp:\n# {5}servers: .*\n# {3}bootTimeout: .*$/m.exec(example("disconnected"));
  assert(said !== null);
  const written = example("disconnected")
    .replace("\nenabled: false", `\n${said[0].replaceAll(/^# {3}/gm, "")}`);
  const [config] = await taken([
    { type: "controlplane", patches: [example("controlplane"), written] },
  ]);
  assert.deepEqual(config?.time, { disabled: false, servers: ["192.0.2.10"] });
});

Deno.test("only a node that is alone takes pods on a control plane, and only control planes begin a cluster", async () => {
  const configs = await taken(NODE_FILES.map((node) => patches(node)));
  assert.deepEqual(configs.map(({ scheduling }) => scheduling), [false, false, true]);
  const beginnings = configs.map(({ services: [service] }) =>
    service?.files[SITE_CONFIG] ?? assert.fail("no settings")
  ).map((text) => /\n# The (?:agent|first)[^]*$/.exec(text)?.[0] ?? "");
  const read = await Promise.all(
    beginnings.map((text) => readByAgent(`drop-dir: [/drop]\n${text}`)),
  );
  const etcd = "first-control-plane";
  assert.deepEqual(
    read.map((settings) => {
      assert(typeof settings !== "string", String(settings));
      return [settings["bootstrap-etcd"], settings["bootstrap-control-planes"]];
    }),
    [[etcd, ["192.0.2.1", "192.0.2.2", "192.0.2.3"]], [undefined, []], [etcd, []]],
  );
  // Nothing else differs.
  const same = configs.map((config, at) =>
    JSON.stringify({ ...config, scheduling: undefined }).replace(
      JSON.stringify(beginnings[at]).slice(1, -1),
      at === 1 ? "" : "\\n",
    )
  );
  for (const config of same) assert.equal(config, same[0]);
});

Deno.test("the trusted key is a key, and is looked for where Talos mounts it", async () => {
  const [config] = await taken([patches("worker", "trust-keys")]);
  const [service] = config?.services ?? [];
  assert(service !== undefined);
  const settings = await readByAgent(service.files[SITE_CONFIG] ?? "", service.environment ?? []);
  assert(typeof settings !== "string", String(settings));
  const [path] = settings["trust-key"];
  await withDirectory(async (dir) => {
    await Deno.writeTextFile(`${dir}/key`, service.files[path ?? ""] ?? "");
    assert.equal(readTrustedKeys([`${dir}/key`]).length, 1);
  });
});

function broken({ file, from, to, what }: Broken): TalosPatches {
  const changed = example(file).replace(from, to);
  assert.notEqual(changed, example(file), `${what} changes nothing`);
  const isNode = NODE_FILES.some((node) => node === file);
  return { type: "worker", patches: isNode ? [changed] : [example("worker"), changed] };
}

Deno.test("Talos refuses what is wrong, and says what", async () => {
  const answers = await askTalosConfig(REFUSED.map(broken));
  for (const [at, { what, says }] of REFUSED.entries()) {
    const answer = answers[at];
    assert(answer !== undefined && "error" in answer, `${what} is taken`);
    assert.match(answer.error, says, what);
  }
});

Deno.test("what Talos takes without a word is seen here", async () => {
  const configs = await taken(OVERSEEN.map(broken));
  for (const [at, { what, says }] of OVERSEEN.entries()) {
    const config = configs[at];
    assert(config !== undefined);
    assert.match((await oversights(config)).join("\n"), says, what);
  }
});

Deno.test("each file is made of documents that are patches, and no whole configuration", () => {
  for (const name of [...NODE_FILES, ...ADDED]) {
    for (const document of loadAll(example(name)) as Record<string, unknown>[]) {
      const whole = ["machine", "cluster"].some((key) => key in document);
      assert.equal(whole, !("kind" in document), name);
    }
  }
});
