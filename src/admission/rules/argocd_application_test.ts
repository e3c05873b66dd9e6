import assert from "node:assert/strict";
import {
  admit,
  assertAsZarf,
  GIT_SERVER,
  INNER_REGISTRY,
  OUTER_REGISTRY,
  questionOf,
  siteOf,
  type ZarfCase,
} from "../../../test/fakes/admission.ts";
import { argocdApplicationRule } from "./argocd_application.ts";

const OUTER = siteOf({ gitServer: GIT_SERVER, registry: OUTER_REGISTRY });
const INNER = siteOf({ gitServer: GIT_SERVER, registry: INNER_REGISTRY });
const SERVICE = "oci://zarf-docker-registry.zarf.svc.cluster.local:5000";
const GIT = "https://git-server.com/a-push-user";

function application(source: string | undefined, ...sources: string[]) {
  return {
    metadata: { name: "app" },
    spec: {
      project: "default",
      ...(source === undefined ? {} : { source: { repoURL: source, path: "." } }),
      ...(sources.length === 0
        ? {}
        : { sources: sources.map((repoURL) => ({ repoURL, chart: "c" })) }),
    },
  };
}

function patched(source: string | undefined, ...sources: string[]): Record<string, unknown> {
  return {
    ...(source === undefined ? {} : { "/spec/source/repoURL": source }),
    ...Object.fromEntries(sources.map((url, at) => [`/spec/sources/${at}/repoURL`, url])),
    "/metadata/labels": { "zarf-agent": "patched" },
  };
}

/** Zarf 0.84, src/internal/agent/hooks/argocd-application_test.go and git_mutation_guard_test.go. */
const CASES: Record<string, ZarfCase> = {
  "of git repositories": {
    object: application(
      "https://diff-git-server.com/peanuts",
      "https://diff-git-server.com/cashews",
      "https://diff-git-server.com/almonds",
    ),
    site: OUTER,
    zarf: patched(
      `${GIT}/peanuts-3883081014`,
      `${GIT}/cashews-580170494`,
      `${GIT}/almonds-640159520`,
    ),
  },
  "created with the git server's URLs": {
    object: application(`${GIT}/peanuts-3883081014`, `${GIT}/cashews-580170494`),
    site: OUTER,
    zarf: patched(`${GIT}/peanuts-3883081014`, `${GIT}/cashews-580170494`),
  },
  "created with the registry's URLs": {
    object: application("oci://127.0.0.1:31999/stefanprodan/charts/podinfo", "oci://127.0.0.1/x"),
    site: OUTER,
    zarf: patched("oci://127.0.0.1:31999/stefanprodan/charts/podinfo", "oci://127.0.0.1/x"),
  },
  "of a registry and of git": {
    object: application(
      "oci://ghcr.io/stefanprodan/charts/podinfo",
      "oci://registry-1.docker.io/dhpup/oci-edge",
      "https://diff-git-server.com/almonds",
    ),
    site: OUTER,
    zarf: patched(
      "oci://127.0.0.1:31999/stefanprodan/charts/podinfo",
      "oci://127.0.0.1:31999/dhpup/oci-edge",
      `${GIT}/almonds-640159520`,
    ),
  },
  "with a registry inside": {
    object: application(
      "oci://ghcr.io/stefanprodan/charts/podinfo",
      "oci://ghcr.io/stefanprodan/manifests/podinfo:1",
    ),
    site: INNER,
    zarf: patched(
      `${SERVICE}/stefanprodan/charts/podinfo`,
      `${SERVICE}/stefanprodan/manifests/podinfo`,
    ),
  },
  "updated at the Service": {
    object: application(`${SERVICE}/stefanprodan/charts/podinfo`),
    site: INNER,
    operation: "UPDATE",
    zarf: patched(`${SERVICE}/stefanprodan/charts/podinfo`),
  },
  "updated at the cluster IP": {
    object: application("oci://10.11.12.13:5000/stefanprodan/charts/podinfo"),
    site: INNER,
    operation: "UPDATE",
    zarf: patched(`${SERVICE}/stefanprodan/charts/podinfo`),
  },
  "of a registry, without a git server": {
    object: application(
      "oci://ghcr.io/stefanprodan/charts/podinfo",
      "oci://registry-1.docker.io/dhpup/oci-edge",
    ),
    site: siteOf({ registry: OUTER_REGISTRY }),
    zarf: patched(
      "oci://127.0.0.1:31999/stefanprodan/charts/podinfo",
      "oci://127.0.0.1:31999/dhpup/oci-edge",
    ),
  },
  "of git, without a git server": {
    object: application("https://github.com/org/repo"),
    site: siteOf({ registry: OUTER_REGISTRY }),
    zarf: {},
  },
  "of both, without a git server": {
    object: application("oci://ghcr.io/a/b", "https://github.com/org/repo"),
    site: siteOf({ registry: OUTER_REGISTRY }),
    zarf: patched("oci://127.0.0.1:31999/a/b", "https://github.com/org/repo"),
  },
  "of both, without a registry": {
    object: application("oci://ghcr.io/a/b", "https://diff-git-server.com/almonds"),
    site: siteOf({ gitServer: GIT_SERVER }),
    zarf: patched("oci://ghcr.io/a/b", `${GIT}/almonds-640159520`),
  },
  "of git, where nothing is": {
    object: application("https://example.com/org/repo"),
    site: siteOf({}),
    zarf: {},
  },
  "without a source": { object: application(undefined), site: OUTER, zarf: {} },
};

Deno.test("an Application is stored as Zarf's agent has it stored", async (t) => {
  for (const [name, one] of Object.entries(CASES)) {
    await t.step(name, () => assertAsZarf(argocdApplicationRule, one));
  }
});

Deno.test("a URL that Zarf's rule cannot read stays, the others of the object are moved", async () => {
  const odd = ["https://charts.jetstack.io", "git@github.com:org/repo.git", "oci://ghcr.io/"];
  const object = application("https://diff-git-server.com/peanuts", ...odd);
  const { stored, warnings } = await admit(argocdApplicationRule, object, OUTER);
  const { source, sources } = stored["spec"] as ReturnType<typeof application>["spec"];
  assert.equal(source?.repoURL, `${GIT}/peanuts-3883081014`);
  assert.deepEqual(sources?.map(({ repoURL }) => repoURL), odd);
  assert.equal(warnings.length, odd.length);
  assert.match(warnings[0] ?? "", /^spec\.sources\.0\.repoURL stays as it is: "https:\/\/charts/);
  const update = { operation: "UPDATE", oldObject: object } as const;
  assert.deepEqual((await admit(argocdApplicationRule, object, OUTER, update)).warnings, []);
});

Deno.test("a password in a URL is shown to nobody", async () => {
  const object = application("https://me:secret@h/a b", "https://me:secret@h y/z");
  const { warnings } = await admit(argocdApplicationRule, object, OUTER);
  assert.equal(warnings.length, 2);
  assert.ok(!warnings.join().includes("secret"), warnings.join());
});

Deno.test("an update that brings the original URL is moved again, its status stays", async () => {
  const object = { ...application("https://diff-git-server.com/peanuts"), status: { x: [1] } };
  const { stored } = await admit(argocdApplicationRule, object, OUTER);
  const again = { ...object, metadata: stored["metadata"] };
  const { stored: result, paths } = await admit(argocdApplicationRule, again, OUTER, {
    operation: "UPDATE",
    oldObject: stored,
  });
  assert.deepEqual(result, stored);
  assert.deepEqual(paths, ["/spec/source/repoURL"]);
});

Deno.test("null and empty places are nobody's", async () => {
  for (
    const spec of [{}, { source: null, sources: null }, { source: { repoURL: "" }, sources: [] }]
  ) {
    assert.deepEqual((await admit(argocdApplicationRule, { metadata: {}, spec }, OUTER)).paths, []);
  }
});

Deno.test("what is no Application is an error, not a verdict", () => {
  const cases = [undefined, null, 1, {}, { metadata: {} }, {
    metadata: {},
    spec: { source: { repoURL: 1 } },
  }, { metadata: {}, spec: { sources: {} } }];
  for (const object of cases) {
    assert.throws(() => argocdApplicationRule.judge(questionOf("Application", object), OUTER));
  }
});
