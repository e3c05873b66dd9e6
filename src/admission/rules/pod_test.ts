import assert from "node:assert/strict";
import { applyPatch } from "../../../test/fakes/json_patch.ts";
import { randomNumbers } from "../../../test/fakes/testing.ts";
import type { AdmissionRequest } from "../review.ts";
import { podRule } from "./pod.ts";

const REGISTRY = "127.0.0.1:31999";
const NGINX = `${REGISTRY}/library/nginx:latest-zarf-3793515731`;
const BUSYBOX = `${REGISTRY}/library/busybox:latest-zarf-2140033595`;
const SITE = {
  registryAddress: REGISTRY,
  configMediaType: () => Promise.resolve(undefined),
};
const PULL_SECRETS = [{ name: "private-registry" }];

interface Pod {
  metadata: {
    labels?: Record<string, string> | null;
    annotations?: Record<string, string>;
    [field: string]: unknown;
  };
  spec: {
    containers: { name: string; image?: string }[];
    initContainers?: { name: string; image: string }[];
    ephemeralContainers?: { name: string; image: string }[];
    volumes?: { name: string; image?: { reference?: string }; emptyDir?: unknown }[];
    imagePullSecrets?: { name: string }[];
    [field: string]: unknown;
  };
}

function request(object: unknown, rest: Partial<AdmissionRequest> = {}): AdmissionRequest {
  return {
    uid: "u",
    kind: { kind: "Pod" },
    operation: "CREATE",
    subResource: "",
    object,
    ...rest,
  };
}

/** The pod as it would be stored, and the paths that were changed. */
function admit(pod: Pod, rest: Partial<AdmissionRequest> = {}): { stored: Pod; paths: string[] } {
  const verdict = podRule.judge(request(pod, rest), SITE);
  assert.ok(verdict.allowed);
  return {
    stored: applyPatch(pod, verdict.patch) as Pod,
    paths: verdict.patch.map(({ path }) => path),
  };
}

const pod = (image: string, metadata: Pod["metadata"] = {}): Pod => ({
  metadata,
  spec: { containers: [{ name: "web", image }] },
});

function withImage(before: Pod, image: string): Pod {
  return { ...before, spec: { ...before.spec, containers: [{ name: "web", image }] } };
}

Deno.test("a new pod gets Zarf's images, pull secret, label and annotations", () => {
  const { stored } = admit({
    metadata: { labels: { app: "web" }, annotations: { note: "kept" } },
    spec: {
      initContainers: [{ name: "prepare", image: "busybox" }],
      containers: [{ name: "web", image: "nginx" }, { name: "log", image: "busybox" }],
      volumes: [{ name: "files", image: { reference: "quay.io/crio/artifact:v1" } }, {
        name: "scratch",
        emptyDir: {},
      }],
      imagePullSecrets: [{ name: "theirs" }, { name: "more" }],
    },
  });
  assert.deepEqual(stored, {
    metadata: {
      labels: { app: "web", "zarf-agent": "patched" },
      annotations: {
        note: "kept",
        "zarf.dev/original-image-prepare": "busybox",
        "zarf.dev/original-image-web": "nginx",
        "zarf.dev/original-image-log": "busybox",
        "zarf.dev/original-volume-files": "quay.io/crio/artifact:v1",
      },
    },
    spec: {
      initContainers: [{ name: "prepare", image: BUSYBOX }],
      containers: [{ name: "web", image: NGINX }, { name: "log", image: BUSYBOX }],
      volumes: [
        {
          name: "files",
          image: { reference: `${REGISTRY}/crio/artifact:v1-zarf-2568457951` },
        },
        { name: "scratch", emptyDir: {} },
      ],
      imagePullSecrets: PULL_SECRETS,
    },
  });
});

Deno.test("the result is the one that Zarf's agent left on a real cluster", async (t) => {
  for (const name of ["app-small", "app-chart", "app-chart-extras"]) {
    await t.step(name, () => {
      const zarf = fixture(name);
      const { stored } = admit(unpatched(zarf));
      assert.deepEqual(stored.spec, zarf.spec);
      assert.deepEqual(stored.metadata, zarf.metadata);
      assert.notDeepEqual(unpatched(zarf).spec, zarf.spec);
    });
  }
});

function fixture(name: string): Pod {
  const url = new URL(
    `../../../test/fixtures/zarf-cluster/nodeport/${name}-mutated-pod.json`,
    import.meta.url,
  );
  return JSON.parse(Deno.readTextFileSync(url));
}

/** What the pod was before Zarf's agent saw it, from the annotations that it left. */
function unpatched(zarf: Pod): Pod {
  const before = structuredClone(zarf);
  const annotations = before.metadata.annotations ?? {};
  for (const each of [...before.spec.initContainers ?? [], ...before.spec.containers]) {
    const key = `zarf.dev/original-image-${each.name}`;
    each.image = annotations[key] ?? assert.fail(`${key} is missing`);
    delete annotations[key];
  }
  delete before.metadata.labels?.["zarf-agent"];
  if (Object.keys(annotations).length === 0) delete before.metadata.annotations;
  delete before.spec.imagePullSecrets;
  return before;
}

Deno.test("absent, null and empty maps are filled", () => {
  const cases: Pod["metadata"][] = [
    {},
    { labels: null },
    { labels: {}, annotations: {} },
    { creationTimestamp: null },
  ];
  for (const metadata of cases) {
    const { stored } = admit(pod("nginx", metadata));
    assert.equal(stored.metadata.labels?.["zarf-agent"], "patched");
    assert.equal(stored.metadata.annotations?.["zarf.dev/original-image-web"], "nginx");
    assert.deepEqual(stored.spec.imagePullSecrets, PULL_SECRETS);
  }
});

Deno.test("what was admitted once is not changed again", () => {
  const once = admit(pod("nginx", { labels: { a: "b" } })).stored;
  assert.deepEqual(admit(once).paths, []);
  assert.deepEqual(admit(once, { operation: "UPDATE", oldObject: once }).paths, []);
});

Deno.test("a container that another webhook added is changed when the pod comes again", () => {
  const once = admit(pod("nginx")).stored;
  once.spec.containers.push({ name: "proxy", image: "busybox" });
  const { stored, paths } = admit(once);
  assert.deepEqual(paths, [
    "/spec/containers/1/image",
    "/metadata/annotations/zarf.dev~1original-image-proxy",
  ]);
  assert.equal(stored.spec.containers[1]?.image, BUSYBOX);
  assert.equal(stored.metadata.annotations?.["zarf.dev/original-image-web"], "nginx");
});

Deno.test("a label set by hand does not let images by", () => {
  const { stored } = admit(pod("nginx", { labels: { "zarf-agent": "patched" } }));
  assert.equal(stored.spec.containers[0]?.image, NGINX);
  assert.deepEqual(stored.spec.imagePullSecrets, PULL_SECRETS);
});

Deno.test("a new pod that names the registry itself gets the pull secret and keeps its image", () => {
  const { stored } = admit(pod(NGINX));
  assert.equal(stored.spec.containers[0]?.image, NGINX);
  assert.deepEqual(stored.spec.imagePullSecrets, PULL_SECRETS);
  assert.equal(stored.metadata.labels?.["zarf-agent"], "patched");
  const restored = pod(NGINX, { annotations: { "zarf.dev/original-image-web": "nginx" } });
  const again = admit(restored).stored;
  assert.equal(again.metadata.annotations?.["zarf.dev/original-image-web"], "nginx");
});

Deno.test("opted out or run from a file of the kubelet's, a pod stays as it is", () => {
  const cases: Pod["metadata"][] = [
    { labels: { "zarf.dev/agent": "ignore" } },
    { labels: { "zarf.dev/agent": "skip" } },
    { annotations: { "kubernetes.io/config.mirror": "0123456789abcdef" } },
  ];
  for (const metadata of cases) {
    assert.deepEqual(admit(pod("nginx", metadata)).paths, []);
    assert.deepEqual(admit(pod("not a reference", metadata)).paths, []);
  }
  assert.notDeepEqual(admit(pod("nginx", { labels: { "zarf.dev/agent": "mutate" } })).paths, []);
});

Deno.test("an update changes only the image that it brings", () => {
  const old = {
    ...pod("nginx"),
    spec: { ...pod("nginx").spec, imagePullSecrets: [{ name: "x" }] },
  };
  const labelled = { ...old, metadata: { labels: { somebody: "set-this" } } };
  const update = { operation: "UPDATE", oldObject: old } as const;
  assert.deepEqual(admit(labelled, update).paths, []);
  const { stored } = admit(withImage(old, "busybox"), update);
  assert.equal(stored.spec.containers[0]?.image, BUSYBOX);
  assert.equal(stored.metadata.labels?.["zarf-agent"], "patched");
  assert.equal(stored.metadata.annotations?.["zarf.dev/original-image-web"], "busybox");
  assert.deepEqual(stored.spec.imagePullSecrets, [{ name: "x" }], "these cannot be changed");
});

Deno.test("applying the original manifest again ends at the stored image", () => {
  const stored = admit(pod("nginx")).stored;
  const again =
    admit(withImage(stored, "nginx"), { operation: "UPDATE", oldObject: stored }).stored;
  assert.deepEqual(again, stored);
});

Deno.test("an ephemeral container that is added is changed, the others are not", () => {
  const before: Pod = {
    metadata: {},
    spec: {
      containers: [{ name: "web", image: "nginx" }],
      ephemeralContainers: [{ name: "old", image: "alpine" }],
    },
  };
  const after = structuredClone(before);
  after.spec.ephemeralContainers?.push({ name: "debug", image: "busybox" });
  const { stored, paths } = admit(after, {
    operation: "UPDATE",
    subResource: "ephemeralcontainers",
    oldObject: before,
  });
  assert.deepEqual(paths, ["/spec/ephemeralContainers/1/image", "/metadata/annotations"]);
  assert.equal(stored.spec.ephemeralContainers?.[1]?.image, BUSYBOX);
  assert.equal(stored.metadata.annotations?.["zarf.dev/original-image-debug"], "busybox");
  const again = { operation: "UPDATE", subResource: "ephemeralcontainers", oldObject: stored };
  assert.deepEqual(admit(stored, again as Partial<AdmissionRequest>).paths, []);
});

Deno.test("other subresources and ephemeral containers of the pod itself stay", () => {
  const object = {
    metadata: {},
    spec: { containers: [], ephemeralContainers: [{ name: "d", image: "busybox" }] },
  };
  assert.deepEqual(admit(object, { operation: "UPDATE", oldObject: object }).paths, []);
  assert.deepEqual(admit(pod("nginx"), { subResource: "resize" }).paths, []);
});

Deno.test("the name of an annotation is cut as Zarf cuts it", () => {
  const name = "a".repeat(47) + "-bcdefghijklmno";
  const { stored } = admit({ metadata: {}, spec: { containers: [{ name, image: "nginx" }] } });
  const key = `zarf.dev/original-image-${"a".repeat(47)}`;
  assert.deepEqual(stored.metadata.annotations, { [key]: "nginx" });
  assert.ok(key.length - "zarf.dev/".length <= 63 && !key.endsWith("-"));
});

Deno.test("an image that is no reference is refused by its container's name", () => {
  const verdict = podRule.judge(request(pod("i am not a ref at all")), SITE);
  assert.ok(!verdict.allowed);
  assert.match(
    verdict.message,
    /^container "web": "i am not a ref at all" is not an image reference/,
  );
});

Deno.test("a container without an image is left to the API server", () => {
  const { stored } = admit({
    metadata: {},
    spec: { containers: [{ name: "web" }], volumes: [{ name: "v", image: {} }] },
  });
  assert.deepEqual(stored.spec.containers, [{ name: "web" }]);
});

Deno.test("what is no pod is an error, not a verdict", () => {
  for (
    const object of [undefined, null, 1, {}, { spec: {} }, {
      spec: {},
      metadata: { labels: { a: 1 } },
    }]
  ) {
    assert.throws(() => podRule.judge(request(object), SITE), /./);
  }
});

Deno.test("Zarf's vectors come out in every place of a pod that names an image", () => {
  const digest = "3fbc632167424a6d997e74f52b878d7cc478225cffac6bc977eedfe51c7f4e79";
  const cases: [string, string][] = [
    ["nginx:1.23.3", "library/nginx:1.23.3-zarf-3793515731"],
    ["alpine", "library/alpine:latest-zarf-1117969859"],
    [`busybox:latest@sha256:${digest}`, `library/busybox@sha256:${digest}`],
    ["ghcr.io/stefanprodan/podinfo:6.3.3", "stefanprodan/podinfo:6.3.3-zarf-2985051089"],
    ["registry.k8s.io/pause:3.10", "pause:3.10-zarf-3787916693"],
    ["localhost:5000/myapp:1", "myapp:1-zarf-1003862798"],
    ["quay.io/crio/artifact:v1", "crio/artifact:v1-zarf-2568457951"],
  ];
  for (const [image, path] of cases) {
    const wanted = `${REGISTRY}/${path}`;
    const { stored } = admit({
      metadata: {},
      spec: {
        initContainers: [{ name: "i", image }],
        containers: [{ name: "c", image }],
        volumes: [{ name: "c", image: { reference: image } }],
      },
    });
    assert.equal(stored.spec.initContainers?.[0]?.image, wanted);
    assert.equal(stored.spec.containers[0]?.image, wanted);
    assert.equal(stored.spec.volumes?.[0]?.image?.reference, wanted);
    assert.deepEqual(stored.metadata.annotations, {
      "zarf.dev/original-image-i": image,
      "zarf.dev/original-image-c": image,
      "zarf.dev/original-volume-c": image,
    });
    const ephemeral = admit({
      metadata: {},
      spec: { containers: [], ephemeralContainers: [{ name: "e", image }] },
    }, {
      operation: "UPDATE",
      subResource: "ephemeralcontainers",
      oldObject: { metadata: {}, spec: { containers: [] } },
    });
    assert.equal(ephemeral.stored.spec.ephemeralContainers?.[0]?.image, wanted);
  }
});

Deno.test("a deletion changes nothing", () => {
  assert.deepEqual(admit(pod("nginx"), { operation: "DELETE" }).paths, []);
});

Deno.test("an image that an update leaves as it is is not judged, whatever it is called", () => {
  const old = pod("i am not a ref at all");
  assert.deepEqual(admit(old, { operation: "UPDATE", oldObject: old }).paths, []);
  const verdict = podRule.judge(
    request(withImage(old, "nor am I"), { operation: "UPDATE", oldObject: old }),
    SITE,
  );
  assert.ok(!verdict.allowed);
});

Deno.test("an image volume that is no reference is refused by the volume's name", () => {
  const verdict = podRule.judge(
    request({
      metadata: {},
      spec: { containers: [], volumes: [{ name: "files", image: { reference: "no ref" } }] },
    }),
    SITE,
  );
  assert.ok(!verdict.allowed);
  assert.match(verdict.message, /^volume "files": "no ref" is not an image reference/);
});

function generatedPod(random: () => number): Pod {
  const pick = <T>(...values: T[]): T => values[Math.floor(random() * values.length)] as T;
  const image = () =>
    pick("", "ghcr.io/", "localhost:5000/a/", "oci://quay.io/", `${REGISTRY}/`) +
    pick("nginx", "x/y__z", "constructor") +
    pick("", ":1", ":latest", `@sha256:${"a".repeat(64)}`, `:2@sha256:${"b".repeat(64)}`);
  const containers = (prefix: string, least: number) =>
    Array.from(
      { length: least + Math.floor(random() * 3) },
      (_, at) => ({ name: pick("", "-", "constructor-") + prefix + at, image: image() }),
    );
  return {
    metadata: {
      labels: pick<Record<string, string> | null>(null, {}, { a: "b" }, {
        "zarf-agent": "patched",
      }),
      annotations: pick<Record<string, string>>({}, { "a/b~c": "d" }),
    },
    spec: {
      containers: containers("c", 1),
      initContainers: containers("i", 0),
      imagePullSecrets: pick([], [{ name: "x" }], PULL_SECRETS),
      volumes: pick([], [{ name: "v", image: { reference: image() } }]),
    },
  };
}

Deno.test("every generated pod ends at the registry, and judging the result changes nothing", () => {
  const random = randomNumbers(20261123);
  for (let run = 0; run < 500; run++) {
    const original = generatedPod(random);
    const { stored } = admit(original);
    const { initContainers = [], containers, volumes = [] } = stored.spec;
    for (const { name, image = "" } of [...initContainers, ...containers]) {
      assert.ok(image.startsWith(`${REGISTRY}/`), image);
      const before = [...original.spec.initContainers ?? [], ...original.spec.containers]
        .find((each) => each.name === name)?.image;
      const kept = stored.metadata.annotations?.[`zarf.dev/original-image-${name}`];
      assert.equal(kept, before === image ? undefined : before);
    }
    for (const volume of volumes) {
      assert.ok(volume.image?.reference?.startsWith(`${REGISTRY}/`));
    }
    assert.deepEqual(stored.spec.imagePullSecrets, PULL_SECRETS);
    assert.equal(stored.metadata.labels?.["zarf-agent"], "patched");
    assert.deepEqual(admit(stored).paths, []);
    const update = { operation: "UPDATE", oldObject: original } as const;
    assert.deepEqual(admit(original, update).paths, [], "an update that changes no image");
  }
});
