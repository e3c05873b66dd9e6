import assert from "node:assert/strict";
import {
  admit,
  assertAsZarf,
  GIT_SERVER,
  OUTER_REGISTRY,
  siteOf,
} from "../../../test/fakes/admission.ts";
import { argocdApplicationSetRule } from "./argocd_application_set.ts";

const SITE = siteOf({ gitServer: GIT_SERVER });
const GIT = "https://git-server.com/a-push-user";

const set = (...generators: unknown[]) => ({ metadata: { name: "set" }, spec: { generators } });
const git = (repoURL: string) => ({ git: { repoURL, revision: "HEAD" } });

Deno.test("an ApplicationSet is stored as Zarf's agent has it stored", async () => {
  // Zarf 0.84, src/internal/agent/hooks/argocd-applicationset_test.go.
  await assertAsZarf(argocdApplicationSetRule, {
    object: set(
      git("https://diff-git-server.com/walnuts"),
      git("https://diff-git-server.com/pecans"),
    ),
    site: SITE,
    zarf: {
      "/spec/generators/0/git/repoURL": `${GIT}/walnuts-1104520479`,
      "/spec/generators/1/git/repoURL": `${GIT}/pecans-1381863636`,
      "/metadata/labels": { "zarf-agent": "patched" },
    },
  });
});

Deno.test("generators of other kinds stay where they are, and so does the template", async () => {
  const template = { spec: { source: { repoURL: "https://diff-git-server.com/walnuts" } } };
  const list = { list: { elements: [{ url: "https://diff-git-server.com/walnuts" }] } };
  const object = set(list, git("https://diff-git-server.com/walnuts"), { git: null });
  const { stored, paths } = await admit(
    argocdApplicationSetRule,
    { ...object, spec: { ...object.spec, template } },
    SITE,
  );
  assert.deepEqual(paths, ["/spec/generators/1/git/repoURL", "/metadata/labels"]);
  const spec = stored["spec"] as { template: unknown; generators: unknown[] };
  assert.deepEqual(spec.template, template);
  assert.deepEqual(spec.generators[0], list);
});

Deno.test("without what the URLs ask for nothing is changed", async () => {
  const object = set(git("https://example.com/org/repo"));
  const sites = [siteOf({}), siteOf({ registry: OUTER_REGISTRY })];
  for (const site of sites) {
    await assertAsZarf(argocdApplicationSetRule, { object, site, zarf: {} });
  }
  for (const empty of [set(), set({}), set(git("")), { metadata: {}, spec: {} }]) {
    await assertAsZarf(argocdApplicationSetRule, { object: empty, site: SITE, zarf: {} });
  }
});

Deno.test("a repository in a registry is moved there", async () => {
  await assertAsZarf(argocdApplicationSetRule, {
    object: set(git("oci://ghcr.io/org/config")),
    site: siteOf({ registry: OUTER_REGISTRY }),
    zarf: {
      "/spec/generators/0/git/repoURL": "oci://127.0.0.1:31999/org/config",
      "/metadata/labels": { "zarf-agent": "patched" },
    },
  });
});

Deno.test("a URL that is filled in later stays, and who wrote it is told", async () => {
  const object = set(git("{{ .url }}"), git("https://bad-url"));
  const { stored, warnings } = await admit(argocdApplicationSetRule, object, SITE);
  assert.deepEqual(stored["spec"], object.spec);
  assert.equal(warnings.length, 2);
});
