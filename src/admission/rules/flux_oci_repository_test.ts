import assert from "node:assert/strict";
import {
  admit,
  assertAsZarf,
  INNER_REGISTRY,
  OUTER_REGISTRY,
  questionOf,
  siteOf,
  TLS_REGISTRY,
  type ZarfCase,
} from "../../../test/fakes/admission.ts";
import type { Site, SiteRegistry } from "../site.ts";
import { fluxOciRepositoryRule } from "./flux_oci_repository.ts";

const SERVICE = "zarf-docker-registry.zarf.svc.cluster.local:5000";
const DIGEST = "sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b";
const CHART = "application/vnd.cncf.helm.config.v1+json";
const FLUX = "application/vnd.cncf.flux.config.v1+json";

/** A site whose registry holds what Zarf's own tests put into it, and the questions it was asked. */
function site(registry: SiteRegistry, asked: string[] = []): Site {
  const held: Record<string, string> = {
    [`${OUTER_REGISTRY.serviceAddress}/stefanprodan/charts/podinfo:6.9.0-zarf-1339621772`]: CHART,
    [`${OUTER_REGISTRY.serviceAddress}/stefanprodan/manifests/podinfo:6.9.0-zarf-2823281104`]: FLUX,
  };
  return siteOf({
    registry,
    configMediaType(image) {
      asked.push(image);
      return Promise.resolve(held[image]);
    },
  });
}

const OUTER = site(OUTER_REGISTRY);
const INNER = site(INNER_REGISTRY);

const repository = (url: string, ref?: Record<string, string> | null) => ({
  metadata: { name: "podinfo" },
  spec: { url, ...(ref === undefined ? {} : { ref }) },
});

const patched = (url: string, more: Record<string, unknown> = {}) => ({
  "/spec/url": `oci://${url}`,
  "/spec/secretRef": { name: "private-registry" },
  "/metadata/labels": { "zarf-agent": "patched" },
  ...more,
});

const tag = (value: string) => ({ "/spec/ref/tag": value });
const INSECURE = { "/spec/insecure": true };
const MANIFESTS = "oci://ghcr.io/stefanprodan/manifests/podinfo";
const CHARTS = "oci://ghcr.io/stefanprodan/charts/podinfo";

/** Zarf 0.84, src/internal/agent/hooks/flux-ocirepo_test.go. */
const CASES: Record<string, ZarfCase> = {
  "a chart keeps its tag": {
    object: repository(CHARTS, { tag: "6.9.0" }),
    site: OUTER,
    zarf: patched("127.0.0.1:31999/stefanprodan/charts/podinfo", tag("6.9.0")),
  },
  "something else gets a checksum": {
    object: repository("oci://ghcr.io/stefanprodan/podinfo", { tag: "6.9.0" }),
    site: OUTER,
    zarf: patched("127.0.0.1:31999/stefanprodan/podinfo", tag("6.9.0-zarf-2985051089")),
  },
  "manifests get one, too": {
    object: repository(MANIFESTS, { tag: "6.4.0" }),
    site: OUTER,
    operation: "UPDATE",
    zarf: patched("127.0.0.1:31999/stefanprodan/manifests/podinfo", tag("6.4.0-zarf-2823281104")),
  },
  "a range of versions": {
    object: repository(MANIFESTS, { semver: ">= 6.4.0" }),
    site: OUTER,
    operation: "UPDATE",
    zarf: patched("127.0.0.1:31999/stefanprodan/manifests/podinfo"),
  },
  "a digest, with a registry inside": {
    object: repository("oci://ghcr.io/stefanprodan/charts", { digest: DIGEST }),
    site: INNER,
    zarf: patched(`${SERVICE}/stefanprodan/charts`, INSECURE),
  },
  "updated at the registry": {
    object: repository("oci://127.0.0.1:31999/stefanprodan/manifests/podinfo", {
      tag: "6.4.0-zarf-2823281104",
    }),
    site: OUTER,
    operation: "UPDATE",
    zarf: patched("127.0.0.1:31999/stefanprodan/manifests/podinfo", tag("6.4.0-zarf-2823281104")),
  },
  "updated at the cluster IP": {
    object: repository("oci://10.11.12.13:5000/stefanprodan/charts", { digest: DIGEST }),
    site: INNER,
    operation: "UPDATE",
    zarf: patched(`${SERVICE}/stefanprodan/charts`, INSECURE),
  },
  "a registry that cannot be asked": {
    object: repository(CHARTS, { tag: "6.9.0" }),
    site: INNER,
    zarf: patched(`${SERVICE}/stefanprodan/charts/podinfo`, {
      ...INSECURE,
      ...tag("6.9.0-zarf-1339621772"),
    }),
  },
  "a registry inside with an IPv6 address": {
    object: repository(CHARTS, { tag: "6.9.0" }),
    site: site({ ...INNER_REGISTRY, clusterAddress: "[fd00:10:96::68a3]:5000" }),
    zarf: patched(`${SERVICE}/stefanprodan/charts/podinfo`, {
      ...INSECURE,
      ...tag("6.9.0-zarf-1339621772"),
    }),
  },
  "updated at the Service": {
    object: repository(`oci://${SERVICE}/stefanprodan/charts`, { tag: "6.9.0-zarf-1339621772" }),
    site: INNER,
    operation: "UPDATE",
    zarf: patched(`${SERVICE}/stefanprodan/charts`, {
      ...INSECURE,
      ...tag("6.9.0-zarf-1339621772"),
    }),
  },
  "with mTLS": {
    object: repository(CHARTS, { tag: "6.9.0" }),
    site: site(TLS_REGISTRY),
    zarf: patched(`${SERVICE}/stefanprodan/charts/podinfo`, {
      "/spec/certSecretRef": { name: "zarf-registry-client-tls" },
      ...tag("6.9.0-zarf-1339621772"),
    }),
  },
  "a tag beside a digest": {
    object: repository(MANIFESTS, { tag: "6.4.0", digest: DIGEST }),
    site: OUTER,
    zarf: patched("127.0.0.1:31999/stefanprodan/manifests/podinfo", tag("6.4.0")),
  },
  "a tag beside a range": {
    object: repository(MANIFESTS, { tag: "6.4.0", semver: "*" }),
    site: OUTER,
    zarf: patched("127.0.0.1:31999/stefanprodan/manifests/podinfo"),
  },
  "created at the registry, without a tag": {
    object: repository("oci://127.0.0.1:31999/a", {}),
    site: OUTER,
    zarf: patched("127.0.0.1:31999/a", tag("latest")),
  },
  "an empty ref": {
    object: repository(MANIFESTS, {}),
    site: OUTER,
    zarf: patched("127.0.0.1:31999/stefanprodan/manifests/podinfo", tag("latest-zarf-2823281104")),
  },
};

Deno.test("an OCIRepository is stored as Zarf's agent has it stored", async (t) => {
  for (const [name, one] of Object.entries(CASES)) {
    await t.step(name, () => assertAsZarf(fluxOciRepositoryRule, one));
  }
});

Deno.test("a ref that is missing is made, where Zarf's patch cannot be applied", async () => {
  for (const ref of [undefined, null]) {
    const { stored, paths } = await admit(
      fluxOciRepositoryRule,
      repository(MANIFESTS, ref),
      OUTER,
    );
    assert.deepEqual((stored["spec"] as { ref: unknown }).ref, { tag: "latest-zarf-2823281104" });
    assert.ok(paths.includes("/spec/ref"));
    const update = { operation: "UPDATE", oldObject: stored } as const;
    assert.deepEqual((await admit(fluxOciRepositoryRule, stored, OUTER, update)).paths, []);
  }
});

Deno.test("an update at the registry gets no tag of its own", async () => {
  const object = repository("oci://127.0.0.1:31999/a", {});
  const update = { operation: "UPDATE", oldObject: object } as const;
  const { stored } = await admit(fluxOciRepositoryRule, object, OUTER, update);
  assert.deepEqual((stored["spec"] as { ref: unknown }).ref, {});
});

Deno.test("an object that is applied again without the tag that was made for it keeps that tag", async () => {
  const { stored } = await admit(fluxOciRepositoryRule, repository(MANIFESTS), OUTER);
  // The API server keeps what nobody applies, and takes the URL that somebody does.
  const again = repository(MANIFESTS, { tag: "latest-zarf-2823281104" });
  const update = { operation: "UPDATE", oldObject: stored } as const;
  const { stored: then } = await admit(fluxOciRepositoryRule, again, OUTER, update);
  assert.deepEqual(then["spec"], stored["spec"]);
  // Another's checksum is a part of the tag.
  const other = repository(MANIFESTS, { tag: "1-zarf-42" });
  const { stored: others } = await admit(fluxOciRepositoryRule, other, OUTER, update);
  assert.deepEqual((others["spec"] as { ref: unknown }).ref, { tag: "1-zarf-42-zarf-2823281104" });
});

Deno.test("a digest in the URL is not lost", async () => {
  const object = repository(`${MANIFESTS}@${DIGEST}`);
  const { stored } = await admit(fluxOciRepositoryRule, object, OUTER);
  const { url, ref } = stored["spec"] as { url: string; ref: unknown };
  assert.equal(url, "oci://127.0.0.1:31999/stefanprodan/manifests/podinfo");
  assert.deepEqual(ref, { digest: DIGEST });
});

Deno.test("an object made anew with the registry's cluster IP gets no second checksum", async () => {
  const object = repository("oci://10.11.12.13:5000/a/b", { tag: "1-zarf-42" });
  const { stored } = await admit(fluxOciRepositoryRule, object, INNER);
  const { url, ref } = stored["spec"] as { url: string; ref: unknown };
  assert.deepEqual([url, ref], [`oci://${SERVICE}/a/b`, { tag: "1-zarf-42" }]);
});

Deno.test("an update with mTLS keeps the certificate and does not turn it off", async () => {
  const mtls = site(TLS_REGISTRY);
  const { stored } = await admit(fluxOciRepositoryRule, repository(CHARTS, { tag: "1" }), mtls);
  const update = { operation: "UPDATE", oldObject: stored } as const;
  assert.deepEqual((await admit(fluxOciRepositoryRule, stored, mtls, update)).paths, []);
});

Deno.test("the registry is asked once, by the name with the checksum, and only if it matters", async () => {
  const cases: [object: unknown, operation: "CREATE" | "UPDATE", asked: string[]][] = [
    [repository(CHARTS, { tag: "1" }), "CREATE", [
      "127.0.0.1:31999/stefanprodan/charts/podinfo:1-zarf-1339621772",
    ]],
    [repository(CHARTS, { digest: DIGEST }), "CREATE", []],
    [repository(CHARTS, { semver: "*" }), "CREATE", []],
    [repository("oci://127.0.0.1:31999/a", { tag: "1" }), "CREATE", []],
    [repository("oci://127.0.0.1:31999/a", { tag: "1" }), "UPDATE", []],
    [{ ...repository(CHARTS), metadata: { labels: { "zarf.dev/agent": "skip" } } }, "CREATE", []],
  ];
  for (const [object, operation, wanted] of cases) {
    const asked: string[] = [];
    const rest = { operation, oldObject: object };
    await admit(fluxOciRepositoryRule, object, site(OUTER_REGISTRY, asked), rest);
    assert.deepEqual(asked, wanted);
  }
});

Deno.test("a tag behind a name without a host is no port of one", async () => {
  const object = repository("oci://nginx:1.27");
  const { stored } = await admit(fluxOciRepositoryRule, object, site(INNER_REGISTRY));
  const { url, ref } = stored["spec"] as { readonly url: string; readonly ref: unknown };
  assert.equal(url, `oci://${INNER_REGISTRY.serviceAddress}/library/nginx`);
  assert.deepEqual(ref, { tag: "1.27-zarf-3793515731" });
});

Deno.test("while no registry is known, and without a URL, all stays", async () => {
  const unknown = siteOf({});
  assert.deepEqual((await admit(fluxOciRepositoryRule, repository(CHARTS), unknown)).paths, []);
  assert.deepEqual((await admit(fluxOciRepositoryRule, repository("bad$"), unknown)).paths, []);
  assert.deepEqual((await admit(fluxOciRepositoryRule, repository(""), OUTER)).paths, []);
});

Deno.test("what nobody can read is refused by the names of object and fields", async () => {
  const cases = [
    repository("bad://ghcr.io/$"),
    repository("oci://ghcr.io/Upper"),
    repository(CHARTS, { tag: "no tag" }),
    repository(CHARTS, { digest: "sha256:12" }),
    repository(`${CHARTS}:1`, { tag: "2" }),
  ];
  for (const object of cases) {
    const verdict = await fluxOciRepositoryRule.judge(questionOf("OCIRepository", object), OUTER);
    assert.ok(!verdict.allowed, object.spec.url);
    assert.match(
      verdict.message,
      /^OCIRepository "podinfo": spec\.url with spec\.ref: ".*" is not/,
    );
    const update = { operation: "UPDATE", oldObject: object } as const;
    assert.deepEqual((await admit(fluxOciRepositoryRule, object, OUTER, update)).paths, []);
    const other = { operation: "UPDATE", oldObject: repository(CHARTS, { tag: "1" }) } as const;
    const changed = await fluxOciRepositoryRule.judge(
      questionOf("OCIRepository", object, other),
      OUTER,
    );
    assert.ok(!changed.allowed);
  }
});
