import assert from "node:assert/strict";
import { parseDefinition } from "../package/mod.ts";
import { parseImageReference, zarfTag } from "../refs/mod.ts";
import { digestOf } from "../std/mod.ts";
import type { ImageRecord } from "../store/mod.ts";
import { imagesOf, isProvided, registryImageOf, withoutProvided } from "./init_package.ts";

function definition(
  components: readonly unknown[],
  constants: Readonly<Record<string, string>> = {},
) {
  return parseDefinition(new TextEncoder().encode(JSON.stringify({
    kind: "ZarfInitConfig",
    metadata: { name: "init" },
    components,
    constants: Object.entries(constants).map(([name, value]) => ({ name, value })),
  })));
}

function image(text: string): ImageRecord {
  const reference = parseImageReference(text);
  return {
    reference: reference.canonical,
    host: reference.host,
    repository: reference.path,
    tag: reference.tag,
    zarfTag: zarfTag(reference),
    descriptor: { mediaType: "m", digest: digestOf(text), size: 1 },
  };
}

const chart = (name: string) => ({ name, localPath: name, version: "1", namespace: "zarf" });
const injector = { source: "i", target: "###ZARF_TEMP###/zarf-injector" };

Deno.test("of the components that Holdfast is itself only what is Zarf's own is left out", () => {
  const packed = definition([
    { name: "zarf-injector", required: true, files: [injector, { source: "a", target: "/a" }] },
    { name: "zarf-seed-registry", charts: [chart("docker-registry")], images: ["registry:3"] },
    {
      name: "zarf-registry",
      charts: [chart("docker-registry"), chart("mine")],
      manifests: [{ name: "connect", files: ["a.yaml"] }],
      actions: { onDeploy: { after: [{ cmd: "true" }] } },
    },
    { name: "zarf-agent", charts: [chart("zarf-agent")] },
    { name: "web", charts: [chart("docker-registry"), chart("zarf-agent")], files: [injector] },
  ]);
  const deployed = withoutProvided(packed);
  const left = deployed.components.map((one) => [
    one.name,
    one.charts.map(({ name }) => name).join(),
    one.manifests.length,
    one.files.map(({ target }) => target).join(),
    one.actions.onDeploy.after.length,
  ]);
  assert.deepEqual(left, [
    ["zarf-injector", "", 0, "/a", 0],
    ["zarf-seed-registry", "", 0, "", 0],
    ["zarf-registry", "mine", 1, "", 1],
    ["zarf-agent", "", 0, "", 0],
    ["web", "docker-registry,zarf-agent", 0, injector.target, 0],
  ]);
  assert.equal(deployed.raw, packed.raw, "it is recorded as it was packed");
  assert.deepEqual(
    packed.components.filter(({ name }) => isProvided(name)).length,
    4,
  );
});

Deno.test("images of chosen components go into the registry, but not the agent's", () => {
  const archive = (...images: string[]) => [{ path: "x.tar", images }];
  const packed = definition([
    { name: "zarf-seed-registry", images: ["registry:3", "alpine/socat:1"] },
    { name: "zarf-registry", images: ["registry:3", "docker.io/library/extra:1"] },
    { name: "zarf-agent", images: ["ghcr.io/zarf-dev/zarf/agent:v0.84.0", "ghcr.io/x/agent:1"] },
    { name: "git-server", imageArchives: archive("ghcr.io/go-gitea/gitea:1"), images: ["busybox"] },
    { name: "logging", images: ["loki:2"] },
  ], { AGENT_IMAGE: "zarf-dev/zarf/agent" });
  const all = [
    ...["registry:3", "alpine/socat:1", "extra:1", "ghcr.io/zarf-dev/zarf/agent:v0.84.0"],
    ...["ghcr.io/x/agent:1", "ghcr.io/go-gitea/gitea:1", "busybox:latest", "loki:2"],
  ].map(image);
  const chosen = packed.components.filter(({ name }) => name !== "logging");
  assert.deepEqual(imagesOf(packed, chosen, all).map(({ repository }) => repository), [
    ...["library/registry", "library/extra", "x/agent", "go-gitea/gitea", "library/busybox"],
  ]);
});

const REGISTRIES: readonly [
  what: string,
  constants: Readonly<Record<string, string>>,
  images: readonly string[],
  expected: string | undefined,
][] = [
  [
    "the one that the constants name",
    { REGISTRY_IMAGE: "iron/registry-v3", REGISTRY_IMAGE_TAG: "2" },
    ["alpine/socat:1", "library/registry:3", "r.example/iron/registry-v3:2"],
    "r.example/iron/registry-v3:2",
  ],
  [
    "the one with the tag that the constants name",
    { REGISTRY_IMAGE: "library/registry", REGISTRY_IMAGE_TAG: "3.1" },
    ["library/registry:3.0", "library/registry:3.1"],
    "docker.io/library/registry:3.1",
  ],
  [
    "one that is called so, where there are no constants",
    {},
    ["alpine/socat:1", "r.example:5000/a/registry:2"],
    "r.example:5000/a/registry:2",
  ],
  [
    "one that is called so, where the constants name none that is there",
    { REGISTRY_IMAGE: "gone" },
    ["registry:3"],
    "docker.io/library/registry:3",
  ],
  ["none, where none is called so", {}, ["alpine/socat:1", "a/registry-v3:2"], undefined],
  ["none without a tag", {}, [`registry@${digestOf("x")}`], undefined],
  ["none, where there are no images", {}, [], undefined],
];

for (const [what, constants, images, expected] of REGISTRIES) {
  Deno.test(`the registry's image is ${what}`, () => {
    const packed = definition([
      { name: "zarf-registry", images },
      { name: "web", images: ["web/registry:9"] },
    ], constants);
    const all = ["web/registry:9", ...images].map(image);
    assert.equal(registryImageOf(packed, all)?.reference, expected);
  });
}
