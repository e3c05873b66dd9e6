import assert from "node:assert/strict";
import { type AnyObject, ApiObjects } from "../../test/fakes/api_objects.ts";
import { status } from "../../test/fakes/api_peer.ts";
import { eventually, loggerOf } from "../../test/fakes/testing.ts";
import type { MutationExclusion, MutationPolicy } from "../admission/mod.ts";
import { type Clock, systemClock } from "../std/mod.ts";
import { Occasion } from "./signals.ts";
import { SourceMender } from "./source_mender.ts";

const GIT = "http://git.example.com/zarf-git-user/";
/** By how much time is faster than the machine's: the next sweep after a second is not waited for. */
const SPEED = 20;

const hurried: Clock = {
  now: () => new Date(),
  monotonic: () => systemClock.monotonic() * SPEED,
  sleep: (ms, signal) => systemClock.sleep(ms / SPEED, signal),
};

/** Kinds of a cluster with Flux and Argo CD, by group and version. */
const SERVED: Readonly<Record<string, readonly string[]>> = {
  "/apis/source.toolkit.fluxcd.io/v1": [
    "GitRepository gitrepositorys",
    "HelmRepository helmrepositorys",
  ],
  "/apis/source.toolkit.fluxcd.io/v1beta2": ["OCIRepository ocirepositorys"],
  "/apis/argoproj.io/v1alpha1": [
    "Application applications",
    "ApplicationSet applicationsets",
    "AppProject appprojects",
  ],
};

class Stage implements AsyncDisposable {
  readonly api = new ApiObjects();
  readonly log = loggerOf("info");
  readonly proof = new Occasion();
  readonly mender: SourceMender;
  policy: MutationPolicy | undefined = "all";
  readonly signal = new AbortController();
  served = SERVED;

  constructor(exclusions: readonly MutationExclusion[] = []) {
    this.mender = new SourceMender({
      kube: this.api.client,
      site: () => ({
        registryAddress: "127.0.0.1:31999",
        gitServer: {
          address: "http://git.example.com",
          pushUsername: "zarf-git-user",
          pullUsername: "reader",
          pullPassword: "secret",
        },
        configMediaType: () => Promise.resolve(undefined),
      }),
      policy: () => this.policy,
      proven: () => this.proof.next,
      exclusions,
      logger: this.log.logger,
      clock: hurried,
    });
    this.api.intercept = ({ path }) => {
      if (!/^\/apis\/[^/]+\/[^/]+$/.test(path)) return undefined;
      const kinds = this.served[path];
      if (kinds === undefined) return status(404, "NotFound");
      const resources = kinds.map((line) => line.split(" "))
        .map(([kind, name]) => ({ kind, name, namespaced: true }));
      return Response.json({ resources });
    };
    this.api.put({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "out", labels: { "zarf.dev/agent": "ignore" } },
    });
  }

  repository(name: string, namespace = "default", labels: Record<string, string> = {}): void {
    this.api.put({
      apiVersion: "source.toolkit.fluxcd.io/v1",
      kind: "GitRepository",
      metadata: { name, namespace, labels },
      spec: { url: `https://github.com/stefanprodan/${name}.git` },
    } as AnyObject);
  }

  application(name: string): void {
    this.api.put({
      apiVersion: "argoproj.io/v1alpha1",
      kind: "Application",
      metadata: { name, namespace: "default" },
      spec: { source: { repoURL: "https://github.com/stefanprodan/podinfo.git" } },
    } as AnyObject);
  }

  secret(name: string, labels: Record<string, string>): void {
    const url = btoa("https://github.com/stefanprodan/podinfo.git");
    this.api.put({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name, namespace: "default", labels },
      data: { url },
    } as AnyObject);
  }

  url(name: string): string {
    return this.api.find("gitrepositorys", name)?.spec.url;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal.abort();
    await this.api[Symbol.asyncDispose]();
  }
}

Deno.test("what Flux and Argo CD read is given what its rule gives, and nothing twice", async () => {
  await using stage = new Stage();
  const { signal } = stage.signal;
  stage.repository("podinfo");
  stage.application("web");
  stage.secret("repository", { "argocd.argoproj.io/secret-type": "repository" });
  stage.secret("cluster", { "argocd.argoproj.io/secret-type": "cluster" });
  stage.secret("password", {});
  await stage.mender.sweep(signal);
  assert.ok(stage.url("podinfo").startsWith(GIT));
  const [application] = stage.api.all("applications");
  assert.ok(application?.spec.source.repoURL.startsWith(GIT));
  assert.ok(atob(stage.api.find("secrets", "repository")?.data.url).startsWith(GIT));
  assert.deepEqual(stage.mender.mended, { GitRepository: 1, Application: 1, Secret: 1 });
  assert.deepEqual(stage.api.writes, [
    "PATCH gitrepositorys/podinfo",
    "PATCH applications/web",
    "PATCH secrets/repository",
  ]);
  await stage.mender.sweep(signal);
  assert.equal(stage.api.writes.length, 3);
});

Deno.test("what opted out, and what somebody else changes, is not touched", async () => {
  await using stage = new Stage(["argocd"]);
  stage.repository("ignored", "out");
  stage.repository("skipped", "default", { "zarf.dev/agent": "skip" });
  stage.repository("system", "kube-system");
  stage.application("web");
  await stage.mender.sweep(stage.signal.signal);
  assert.deepEqual(stage.api.writes, []);
  stage.policy = undefined;
  stage.repository("podinfo");
  await stage.mender.sweep(stage.signal.signal);
  assert.deepEqual(stage.api.writes, []);
});

Deno.test("kinds that are not there are no failure, and one that fails does not stop the others", async () => {
  await using stage = new Stage();
  stage.served = {};
  await stage.mender.sweep(stage.signal.signal);
  assert.deepEqual(stage.log.lines, []);
  stage.served = SERVED;
  stage.application("web");
  const { intercept } = stage.api;
  stage.api.intercept = (request) =>
    request.path.endsWith("/gitrepositorys")
      ? status(403, "Forbidden", "not yours")
      : intercept(request);
  await stage.mender.sweep(stage.signal.signal);
  assert.deepEqual(stage.mender.mended, { Application: 1 });
  assert.match(stage.log.lines.join(), /cannot be looked for.*GitRepository.*not yours/);
});

Deno.test("an object that its rule does not understand does not stop the others", async () => {
  await using stage = new Stage();
  stage.api.put({
    apiVersion: "source.toolkit.fluxcd.io/v1",
    kind: "GitRepository",
    metadata: { name: "a", namespace: "default" },
    spec: "nothing",
  });
  stage.repository("podinfo");
  await stage.mender.sweep(stage.signal.signal);
  assert.ok(stage.url("podinfo").startsWith(GIT));
});

Deno.test("it is looked at the start, and again when the API server asks again", async () => {
  await using stage = new Stage();
  stage.repository("early");
  const running = stage.mender.run(stage.signal.signal);
  await eventually(() => stage.url("early").startsWith(GIT));
  stage.repository("late");
  stage.proof.happen();
  await eventually(() => stage.url("late").startsWith(GIT));
  stage.signal.abort();
  await running;
});
