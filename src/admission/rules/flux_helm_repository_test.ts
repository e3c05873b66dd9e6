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
import { fluxHelmRepositoryRule } from "./flux_helm_repository.ts";

const OUTER = siteOf({ registry: OUTER_REGISTRY });
const INNER = siteOf({ registry: INNER_REGISTRY });
const SERVICE = "oci://zarf-docker-registry.zarf.svc.cluster.local:5000";

const repository = (url: string, type = "oci") => ({
  metadata: { name: "podinfo" },
  spec: { url, type },
});

const patched = (url: string, more: Record<string, unknown> = {}) => ({
  "/spec/url": url,
  "/spec/secretRef": { name: "private-registry" },
  "/metadata/labels": { "zarf-agent": "patched" },
  ...more,
});

const INSECURE = { "/spec/insecure": true };

/** Zarf 0.84, src/internal/agent/hooks/flux-helmrepo_test.go. */
const CASES: Record<string, ZarfCase> = {
  "of another type": { object: repository("", "default"), site: OUTER, zarf: {} },
  "with a registry outside": {
    object: repository("oci://ghcr.io/stefanprodan/charts"),
    site: OUTER,
    zarf: patched("oci://127.0.0.1:31999/stefanprodan/charts"),
  },
  "with a registry inside": {
    object: repository("oci://ghcr.io/stefanprodan/charts"),
    site: INNER,
    zarf: patched(`${SERVICE}/stefanprodan/charts`, INSECURE),
  },
  "created at the registry": {
    object: repository("oci://127.0.0.1:31999/stefanprodan/charts"),
    site: OUTER,
    zarf: patched("oci://127.0.0.1:31999/stefanprodan/charts"),
  },
  "updated at the registry": {
    object: repository("oci://127.0.0.1:31999/stefanprodan/charts"),
    site: OUTER,
    operation: "UPDATE",
    zarf: patched("oci://127.0.0.1:31999/stefanprodan/charts"),
  },
  "updated at the Service": {
    object: repository(`${SERVICE}/stefanprodan/charts`),
    site: INNER,
    operation: "UPDATE",
    zarf: patched(`${SERVICE}/stefanprodan/charts`, INSECURE),
  },
  "updated at the cluster IP": {
    object: repository("oci://10.11.12.13:5000/stefanprodan/charts"),
    site: INNER,
    operation: "UPDATE",
    zarf: patched(`${SERVICE}/stefanprodan/charts`, INSECURE),
  },
  "with mTLS": {
    object: repository("oci://ghcr.io/stefanprodan/charts"),
    site: siteOf({ registry: TLS_REGISTRY }),
    zarf: patched(`${SERVICE}/stefanprodan/charts`, {
      "/spec/certSecretRef": { name: "zarf-registry-client-tls" },
    }),
  },
  "its type in capitals": {
    object: repository("oci://ghcr.io/stefanprodan/charts:1.0", "OCI"),
    site: OUTER,
    zarf: patched("oci://127.0.0.1:31999/stefanprodan/charts"),
  },
};

Deno.test("a HelmRepository is stored as Zarf's agent has it stored", async (t) => {
  for (const [name, one] of Object.entries(CASES)) {
    await t.step(name, () => assertAsZarf(fluxHelmRepositoryRule, one));
  }
});

Deno.test("a repository over HTTP and one without a URL stay", async () => {
  for (const type of ["default", "", null, undefined]) {
    const spec = { url: "https://charts.example", ...(type === undefined ? {} : { type }) };
    const { paths } = await admit(fluxHelmRepositoryRule, { metadata: {}, spec }, OUTER);
    assert.deepEqual(paths, []);
  }
  assert.deepEqual((await admit(fluxHelmRepositoryRule, repository(""), OUTER)).paths, []);
});

Deno.test("while no registry is known, all stays, the wrong too", async () => {
  for (const url of ["oci://ghcr.io/stefanprodan/charts", "bad-url$"]) {
    assert.deepEqual((await admit(fluxHelmRepositoryRule, repository(url), siteOf({}))).paths, []);
  }
});

Deno.test("slashes at the end are dropped, as Flux drops them", async () => {
  const object = repository("oci://ghcr.io/stefanprodan/charts//");
  const { stored } = await admit(fluxHelmRepositoryRule, object, OUTER);
  assert.equal(
    (stored["spec"] as { url: string }).url,
    "oci://127.0.0.1:31999/stefanprodan/charts",
  );
});

Deno.test("a URL that nobody can read is refused by the names of object and field", async () => {
  for (
    const url of ["bad-url$", "oci://ghcr.io/Upper/case", "oci://g h/x", "https://h/x", "oci://"]
  ) {
    const object = repository(url);
    const verdict = await fluxHelmRepositoryRule.judge(questionOf("HelmRepository", object), OUTER);
    assert.ok(!verdict.allowed, url);
    assert.match(verdict.message, /^HelmRepository "podinfo": spec\.url: ".*" is not/);
  }
});

Deno.test("an update that does not touch a bad URL goes through", async () => {
  const object = repository("bad-url$");
  const update = { operation: "UPDATE", oldObject: object } as const;
  const released = { ...object, metadata: { name: "podinfo", finalizers: [] } };
  assert.deepEqual((await admit(fluxHelmRepositoryRule, released, OUTER, update)).paths, []);
  const verdict = await fluxHelmRepositoryRule.judge(
    questionOf("HelmRepository", repository("worse-url$"), update),
    OUTER,
  );
  assert.ok(!verdict.allowed);
});
