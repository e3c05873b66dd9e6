import assert from "node:assert/strict";
import { admit, assertAsZarf, GIT_SERVER, siteOf } from "../../../test/fakes/admission.ts";
import { fluxGitRepositoryRule } from "./flux_git_repository.ts";

const SITE = siteOf({ gitServer: GIT_SERVER });
const MOVED = "https://git-server.com/a-push-user/podinfo-1646971829.git";

const repository = (url: string, spec: Record<string, unknown> = {}) => ({
  metadata: { name: "mutate-this" },
  spec: { url, ...spec },
});

const patched = (url: string) => ({
  "/spec/url": url,
  "/spec/secretRef": { name: "private-git-server" },
  "/metadata/labels": { "zarf-agent": "patched" },
});

Deno.test("a GitRepository is stored as Zarf's agent has it stored", async (t) => {
  // Zarf 0.84, src/internal/agent/hooks/flux-gitrepo_test.go.
  const cases: [name: string, url: string, operation: "CREATE" | "UPDATE", moved: string][] = [
    ["mutated", "https://github.com/stefanprodan/podinfo.git", "CREATE", MOVED],
    ["created with the site's URL", MOVED, "CREATE", MOVED],
    [
      "updated with the site's URL",
      "https://git-server.com/a-push-user/podinfo.git",
      "UPDATE",
      "https://git-server.com/a-push-user/podinfo.git",
    ],
  ];
  for (const [name, url, operation, moved] of cases) {
    await t.step(name, () =>
      assertAsZarf(fluxGitRepositoryRule, {
        object: repository(url),
        site: SITE,
        operation,
        zarf: patched(moved),
      }));
  }
});

Deno.test("without a git server nothing is changed", async () => {
  const object = repository("https://example.com/org/repo");
  await assertAsZarf(fluxGitRepositoryRule, { object, site: siteOf({}), zarf: {} });
});

Deno.test("what stands beside the URL stays, and only what differs is set", async () => {
  const spec = { ref: { branch: "main" }, interval: "1m", secretRef: { name: "theirs" } };
  const object = {
    ...repository("https://github.com/stefanprodan/podinfo.git", spec),
    metadata: { name: "x", labels: { app: "web" } },
  };
  const { stored, paths } = await admit(fluxGitRepositoryRule, object, SITE);
  assert.deepEqual(stored, {
    metadata: { name: "x", labels: { app: "web", "zarf-agent": "patched" } },
    spec: { ...spec, url: MOVED, secretRef: { name: "private-git-server" } },
  });
  assert.deepEqual(paths, ["/spec/url", "/spec/secretRef", "/metadata/labels/zarf-agent"]);
});

Deno.test("a label set by hand does not let a URL by", async () => {
  const object = {
    ...repository("https://github.com/stefanprodan/podinfo.git"),
    metadata: { labels: { "zarf-agent": "patched" } },
  };
  const { stored } = await admit(fluxGitRepositoryRule, object, SITE);
  assert.equal((stored["spec"] as { url: string }).url, MOVED);
});

Deno.test("a URL that Zarf's rule cannot read stays, and who wrote it is told once", async () => {
  for (const url of ["not-a-git-url", "https://bad-url", "https://h/a b", "git@h:a/b"]) {
    const object = repository(url);
    const { paths, warnings } = await admit(fluxGitRepositoryRule, object, SITE);
    assert.deepEqual(paths, [], url);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /^spec\.url stays as it is: ".*" is not a URL/);
    const update = { operation: "UPDATE", oldObject: object } as const;
    assert.deepEqual((await admit(fluxGitRepositoryRule, object, SITE, update)).warnings, []);
  }
});

Deno.test("a URL of an update is moved also when the old object cannot be read", async () => {
  const object = repository("https://github.com/stefanprodan/podinfo.git");
  for (const oldObject of [null, undefined, 1, { spec: {} }]) {
    const { stored } = await admit(fluxGitRepositoryRule, object, SITE, {
      operation: "UPDATE",
      oldObject,
    });
    assert.equal((stored["spec"] as { url: string }).url, MOVED);
  }
});

Deno.test("an object without a URL is left to the API server", async () => {
  for (const spec of [{}, { url: null }, { url: "" }]) {
    const object = { metadata: { name: "x" }, spec };
    assert.deepEqual((await admit(fluxGitRepositoryRule, object, SITE)).paths, []);
  }
});
