import assert from "node:assert/strict";
import {
  admit,
  assertAsZarf,
  GIT_SERVER,
  INNER_REGISTRY,
  OUTER_REGISTRY,
  siteOf,
  TLS_REGISTRY,
  type ZarfCase,
} from "../../../test/fakes/admission.ts";
import type { Site } from "../site.ts";
import { argocdRepositoryRule } from "./argocd_repository.ts";

/** As Zarf's tests have it: no Service of the cluster, but a registry that Zarf installed. */
const OUTER = siteOf({
  gitServer: GIT_SERVER,
  registry: { ...OUTER_REGISTRY, isInternal: true },
});
const INNER = siteOf({ gitServer: GIT_SERVER, registry: INNER_REGISTRY });
const TLS = siteOf({ gitServer: GIT_SERVER, registry: TLS_REGISTRY });
const SERVICE = "oci://zarf-docker-registry.zarf.svc.cluster.local:5000";

const dataOf = (data: Record<string, string>) =>
  Object.fromEntries(Object.entries(data).map(([name, text]) => [name, btoa(text)]));

function secret(data: Record<string, string>, type = "repository") {
  return {
    metadata: { name: "repo", labels: { "argocd.argoproj.io/secret-type": type } },
    type: "Opaque",
    data: dataOf(data),
  };
}

function patched(url: string, data: Record<string, string>, type: string): Record<string, unknown> {
  const members = Object.entries(dataOf({ url, ...data }));
  return {
    ...Object.fromEntries(members.map(([name, value]) => [`/data/${name}`, value])),
    "/metadata/labels": { "argocd.argoproj.io/secret-type": type, "zarf-agent": "patched" },
  };
}

const GIT_ACCESS = { username: "a-pull-user", password: "a-pull-password" };
const ACCESS = { username: "registry-pull-user", password: "registry-pull-password" };
const PLAIN_ACCESS = { ...ACCESS, insecureOCIForceHttp: "true" };
const TLS_ACCESS = {
  ...ACCESS,
  tlsClientCertData: "zarf-registry-client-tls-crt",
  tlsClientCertKey: "zarf-registry-client-tls-key",
};
const HELM = { enableOCI: "true", type: "helm" };

/** Zarf 0.84, src/internal/agent/hooks/argocd-repository_test.go: URL, beside it, site, result. */
const ROWS: [url: string, beside: Record<string, string>, Site, string, Record<string, string>][] =
  [
    [
      "https://diff-git-server.com/podinfo",
      {},
      OUTER,
      "https://git-server.com/a-push-user/podinfo-1868163476",
      GIT_ACCESS,
    ],
    [
      "oci://registry-1.docker.io/dhpup/oci-edge",
      { type: "oci" },
      OUTER,
      "oci://127.0.0.1:31999/dhpup/oci-edge",
      PLAIN_ACCESS,
    ],
    [
      "oci://ghcr.io/stefanprodan/charts/podinfo",
      HELM,
      OUTER,
      "oci://127.0.0.1:31999/stefanprodan/charts/podinfo",
      PLAIN_ACCESS,
    ],
    [
      "oci://ghcr.io/stefanprodan/charts/podinfo",
      HELM,
      INNER,
      `${SERVICE}/stefanprodan/charts/podinfo`,
      PLAIN_ACCESS,
    ],
    ["https://git-server.com/podinfo", {}, OUTER, "https://git-server.com/podinfo", GIT_ACCESS],
    [
      `${SERVICE}/stefanprodan/charts`,
      { type: "oci" },
      INNER,
      `${SERVICE}/stefanprodan/charts`,
      PLAIN_ACCESS,
    ],
    [
      "oci://10.11.12.13:5000/stefanprodan/charts",
      { type: "oci" },
      INNER,
      `${SERVICE}/stefanprodan/charts`,
      PLAIN_ACCESS,
    ],
    [
      "oci://ghcr.io/stefanprodan/charts",
      { type: "oci" },
      TLS,
      `${SERVICE}/stefanprodan/charts`,
      TLS_ACCESS,
    ],
    [
      "oci://registry-1.docker.io/dhpup/oci-edge",
      { type: "oci" },
      siteOf({ registry: { ...OUTER_REGISTRY, isInternal: true } }),
      "oci://127.0.0.1:31999/dhpup/oci-edge",
      PLAIN_ACCESS,
    ],
    [
      "oci://ghcr.io/stefanprodan/charts",
      {},
      siteOf({ registry: OUTER_REGISTRY }),
      "oci://127.0.0.1:31999/stefanprodan/charts",
      ACCESS,
    ],
  ];

Deno.test("a Secret of a repository is stored as Zarf's agent has it stored", async (t) => {
  for (const type of ["repository", "repo-creds"]) {
    for (const operation of ["CREATE", "UPDATE"] as const) {
      for (const [url, beside, site, moved, access] of ROWS) {
        await t.step(`${type}, ${operation}, ${url} with ${Object.keys(access)}`, () => {
          const one: ZarfCase = {
            object: secret({ ...beside, url }, type),
            site,
            operation,
            zarf: patched(moved, access, type),
          };
          return assertAsZarf(argocdRepositoryRule, one);
        });
      }
    }
  }
});

Deno.test("without what the URL asks for nothing is changed", async () => {
  const cases: [string, Site][] = [
    ["https://some-git-server.com/podinfo", siteOf({ registry: OUTER_REGISTRY })],
    ["https://example.com/org/repo", siteOf({})],
    ["oci://registry-1.docker.io/dhpup/oci-edge", siteOf({ gitServer: GIT_SERVER })],
  ];
  for (const [url, site] of cases) {
    await assertAsZarf(argocdRepositoryRule, { object: secret({ url }), site, zarf: {} });
  }
});

Deno.test("credentials that are the site's already are not written again, others are", async () => {
  const url = "https://git-server.com/a-push-user/podinfo-1868163476";
  const old = secret({ url, ...GIT_ACCESS, password: "yesterday's" });
  const { paths } = await admit(argocdRepositoryRule, old, OUTER);
  assert.deepEqual(paths, ["/data/password", "/metadata/labels/zarf-agent"]);
});

Deno.test("a Secret without a URL stays: it may be filled later", async () => {
  const base = secret({});
  for (const data of [undefined, null, {}, { url: "" }, { url: null }, { url: "%%%" }]) {
    const object = { ...base, data };
    assert.deepEqual((await admit(argocdRepositoryRule, object, OUTER)).paths, []);
  }
});

Deno.test("a Secret that is not Argo CD's, or no longer, stays", async () => {
  const data = { url: "https://diff-git-server.com/podinfo" };
  const object = secret(data);
  const others = [
    secret(data, "cluster"),
    { ...object, metadata: { name: "repo", labels: {} } },
    { ...object, metadata: { name: "repo" } },
  ];
  for (const each of others) {
    const update = { operation: "UPDATE", oldObject: object } as const;
    assert.deepEqual((await admit(argocdRepositoryRule, each, OUTER, update)).paths, []);
  }
});

Deno.test("a URL that cannot be moved stays with its credentials, and is not shown", async () => {
  for (const url of ["ghcr.io/org/charts", "oci://ghcr.io/", "https://secret-host", "a secret\n"]) {
    const object = secret({ url, username: "theirs", password: "theirs" });
    const { paths, warnings } = await admit(argocdRepositoryRule, object, OUTER);
    assert.deepEqual(paths, []);
    assert.equal(warnings.length, 1);
    assert.ok(!/secret|ghcr/.test(warnings.join()), warnings.join());
    const update = { operation: "UPDATE", oldObject: object } as const;
    assert.deepEqual((await admit(argocdRepositoryRule, object, OUTER, update)).warnings, []);
  }
});
