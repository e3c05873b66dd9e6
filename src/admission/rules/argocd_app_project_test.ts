import assert from "node:assert/strict";
import {
  admit,
  assertAsZarf,
  GIT_SERVER,
  INNER_REGISTRY,
  OUTER_REGISTRY,
  siteOf,
  type ZarfCase,
} from "../../../test/fakes/admission.ts";
import { argocdAppProjectRule } from "./argocd_app_project.ts";

const OUTER = siteOf({ gitServer: GIT_SERVER, registry: OUTER_REGISTRY });
const GIT = "https://git-server.com/a-push-user";
const SERVICE = "oci://zarf-docker-registry.zarf.svc.cluster.local:5000";

const project = (...sourceRepos: string[]) => ({
  metadata: { name: "project" },
  spec: { sourceRepos, destinations: [{ server: "*" }] },
});

function patched(...urls: string[]): Record<string, unknown> {
  return {
    ...Object.fromEntries(urls.map((url, at) => [`/spec/sourceRepos/${at}`, url])),
    "/metadata/labels": { "zarf-agent": "patched" },
  };
}

const OCI_REPOS = [
  "oci://ghcr.io/stefanprodan/charts/podinfo",
  "oci://registry-1.docker.io/dhpup/oci-edge",
];
const OCI_MOVED = [
  "oci://127.0.0.1:31999/stefanprodan/charts/podinfo",
  "oci://127.0.0.1:31999/dhpup/oci-edge",
];

/** Zarf 0.84, src/internal/agent/hooks/argocd-appproject_test.go. */
const CASES: Record<string, ZarfCase> = {
  "of git repositories": {
    object: project("https://diff-git-server.com/cashews", "https://diff-git-server.com/almonds"),
    site: OUTER,
    zarf: patched(`${GIT}/cashews-580170494`, `${GIT}/almonds-640159520`),
  },
  "of a registry": { object: project(...OCI_REPOS), site: OUTER, zarf: patched(...OCI_MOVED) },
  "with a registry inside": {
    object: project("oci://ghcr.io/stefanprodan/charts/podinfo"),
    site: siteOf({ gitServer: GIT_SERVER, registry: INNER_REGISTRY }),
    zarf: patched(`${SERVICE}/stefanprodan/charts/podinfo`),
  },
  "of a URL that is none of a repository": {
    object: project("https://unknown-url"),
    site: OUTER,
    zarf: patched(),
  },
  "of a registry, without a git server": {
    object: project(...OCI_REPOS),
    site: siteOf({ registry: OUTER_REGISTRY }),
    zarf: patched(...OCI_MOVED),
  },
  "of git, without a git server": {
    object: project("https://some-git-server.com/cashews"),
    site: siteOf({ registry: OUTER_REGISTRY }),
    zarf: {},
  },
  "of a registry, without one": {
    object: project("oci://ghcr.io/stefanprodan/charts/podinfo"),
    site: siteOf({ gitServer: GIT_SERVER }),
    zarf: {},
  },
  "that allows everything": { object: project("*"), site: OUTER, zarf: patched() },
};

Deno.test("an AppProject is stored as Zarf's agent has it stored", async (t) => {
  for (const [name, one] of Object.entries(CASES)) {
    await t.step(name, () => assertAsZarf(argocdAppProjectRule, one));
  }
});

Deno.test("patterns stay in their places without a word, also those that Zarf refuses", async () => {
  const patterns = ["!https://github.com/bad/*", "oci://ghcr.io/*", "git@github.com:org/*", "*"];
  const object = project(...patterns, "https://diff-git-server.com/almonds", "");
  const { stored, warnings } = await admit(argocdAppProjectRule, object, OUTER);
  assert.deepEqual((stored["spec"] as { sourceRepos: string[] }).sourceRepos, [
    ...patterns,
    `${GIT}/almonds-640159520`,
    "",
  ]);
  assert.deepEqual(warnings, []);
});

Deno.test("a project that allows no repository stays", async () => {
  for (const spec of [{}, { sourceRepos: null }, { sourceRepos: [] }]) {
    assert.deepEqual((await admit(argocdAppProjectRule, { metadata: {}, spec }, OUTER)).paths, []);
  }
});
