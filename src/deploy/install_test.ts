import assert from "node:assert/strict";
import { ApiObjects } from "../../test/fakes/api_objects.ts";
import { failure, HelmInMemory, success } from "../../test/fakes/helm_in_memory.ts";
import { TestClock } from "../../test/fakes/testing.ts";
import { KubeError } from "../kube/mod.ts";
import { newState, registryServiceAt } from "../zarf/mod.ts";
import { DeployError } from "./errors.ts";
import { Helm } from "./helm.ts";
import { type InstallContext, installRelease, KIND_GRACE, refOf } from "./install.ts";
import type { PlannedRelease } from "./plan.ts";
import { ProofBook } from "./proof.ts";
import { writeRawChart } from "./raw_chart.ts";

/** A cluster, a Helm and a directory; everything that {@linkcode installRelease} works with. */
class Place implements AsyncDisposable {
  readonly api = new ApiObjects();
  readonly helm = new HelmInMemory(this.api);
  readonly clock = new TestClock();
  readonly said: string[] = [];
  readonly #root = Deno.makeTempDirSync({ prefix: "holdfast-install-" });
  #count = 0;

  context(more: Partial<InstallContext> = {}): InstallContext {
    return {
      kube: this.api.client,
      helm: new Helm({
        exec: this.helm.exec,
        helm: "helm",
        home: `${this.#root}/helm`,
        kubeconfig: "/kubeconfig",
        postRenderer: { command: "/holdfast", args: ["post-render"] },
        ...(more.signal === undefined ? {} : { signal: more.signal }),
      }),
      clock: this.clock,
      proofs: new ProofBook(`${this.#root}/releases`),
      state: newState({ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" }),
      packageName: "shop",
      templates: new Map([["###ZARF_VAR_SIZE###", { value: "3" }]]),
      timeout: 60_000,
      onProgress: (message) => this.said.push(message),
      ...more,
    };
  }

  /** Installs a raw chart of this text as release `web` in namespace `shop`. */
  async install(text: string, more: Partial<InstallContext> = {}, parts = {}) {
    const directory = `${this.#root}/${this.#count++}`;
    Deno.mkdirSync(directory);
    writeRawChart(`${directory}/chart`, "raw-shop-web", "0.1.0", [text]);
    const planned: PlannedRelease = {
      title: "the shop",
      release: "web",
      namespace: "shop",
      chart: `${directory}/chart`,
      valuesFiles: [],
      noWait: false,
      schemaValidation: true,
      serverSide: "auto",
      literal: text,
      ...parts,
    };
    return await installRelease(planned, directory, this.context(more));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api[Symbol.asyncDispose]();
    Deno.removeSync(this.#root, { recursive: true });
  }
}

/** A ConfigMap, which is ready as soon as it is there. */
function text(value: string, more = ""): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: text${more}}\ndata: {value: ${value}}\n`;
}

/** A claim that is bound or never will be. */
function claim(phase: string): string {
  return "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: disk}\n" +
    `status: {phase: ${phase}}\n`;
}

/** A Job that failed. */
const FAILED_JOB = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate}\nstatus:\n" +
  "  conditions: [{type: Failed, status: 'True', message: the schema is locked}]\n";

function isError(reason: string, message: RegExp, kept?: RegExp) {
  return (error: unknown): true => {
    assert.ok(error instanceof DeployError, String(error));
    assert.equal(error.reason, reason, error.message);
    assert.match(error.message, message);
    if (reason === "RolledBack") assert.equal(error.disposition, "terminal");
    if (kept !== undefined) assert.match(error.kept ?? "", kept);
    return true;
  };
}

Deno.test("a release gets its namespaces and pull secrets before Helm is asked for anything", async () => {
  await using place = new Place();
  const chart = text("###ZARF_VAR_SIZE###") +
    "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a, namespace: other}\n" +
    "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: third, labels: {tier: one}}\n" +
    "---\napiVersion: v1\nkind: Service\nmetadata: {name: web, labels: " +
    "{zarf.dev/connect-name: shop}, annotations: {zarf.dev/connect-url: /start}}\n";
  let writesBefore: string[] = [];
  place.helm.intercept = () => {
    writesBefore = [...place.api.writes];
    return undefined;
  };
  const connectStrings = await place.install(chart, {
    registryService: registryServiceAt("10.96.0.12"),
  });
  assert.deepEqual(connectStrings, { shop: { description: "", url: "/start" } });
  assert.deepEqual(writesBefore, [
    "PATCH namespaces/shop",
    "PATCH secrets/private-registry",
    "PATCH namespaces/other",
    "PATCH secrets/private-registry",
    "PATCH namespaces/third",
    "PATCH secrets/private-registry",
  ]);
  const pull = place.api.find("secrets", "private-registry");
  assert.match(atob(pull?.["data"][".dockerconfigjson"]), /10\.96\.0\.12:5000/);
  assert.deepEqual(place.api.find("namespaces", "third")?.metadata.labels, {
    "app.kubernetes.io/managed-by": "zarf",
    "zarf.dev/agent": "mutate",
    "zarf.dev/package": "shop",
    tier: "one",
  });
  const made = place.api.find("configmaps", "text");
  assert.deepEqual(made?.["data"], { value: 3 });
  assert.equal(made?.metadata.labels?.["zarf.dev/package"], "shop");
  assert.deepEqual(place.helm.verbs, ["upgrade web"]);
});

Deno.test("settings that may hold passwords are for the owner's eyes only", async () => {
  await using place = new Place();
  let mode: number | null = null;
  const helm = {
    upgrade: (options: { settings: string }) => {
      mode = Deno.statSync(options.settings).mode;
      return Promise.resolve();
    },
  };
  const settings = { ...helm, under: () => helm } as unknown as Helm;
  await place.install(text("1"), { helm: settings }, { noWait: true });
  assert.equal((mode ?? 0o777) & 0o077, 0);
});

Deno.test("what Helm applied is waited for, and not where the package says not to", async () => {
  await using place = new Place();
  await assert.rejects(
    place.install(claim("Pending")),
    isError("TimedOut", /within 60 s: PersistentVolumeClaim disk: not bound/, /no earlier one/),
  );
  assert.ok(place.said.includes("PersistentVolumeClaim disk: not bound"));
  assert.deepEqual(await place.install(claim("Pending"), {}, { noWait: true }), {});
});

Deno.test("Helm's own time is part of the release's", async () => {
  await using place = new Place();
  place.helm.intercept = ([verb]) => {
    if (verb === "upgrade") place.clock.advance(59_000);
    return undefined;
  };
  const before = place.clock.slept.length;
  await assert.rejects(place.install(claim("Pending")), isError("TimedOut", /within 60 s/));
  assert.equal(place.clock.slept.length - before, 1, "one second was left to wait");
});

Deno.test("a first install that fails stays, so that it can be looked at", async () => {
  await using place = new Place();
  await assert.rejects(
    place.install(FAILED_JOB),
    isError(
      "NotReady",
      /Job migrate .* the schema is locked/,
      /web of "the shop" stays .* no earlier one/,
    ),
  );
  assert.deepEqual(place.helm.verbs, ["upgrade web"]);
  assert.ok(place.api.find("jobs", "migrate"));
});

Deno.test("an upgrade that does not become ready goes back to what was deployed", async () => {
  await using place = new Place();
  await place.install(text("old"));
  await assert.rejects(
    place.install(text("new") + "---\n" + FAILED_JOB),
    isError(
      "RolledBack",
      /the schema is locked/,
      /web of "the shop" is back at revision 1 and ready/,
    ),
  );
  assert.equal(place.api.find("configmaps", "text")?.["data"].value, "old");
  assert.deepEqual(place.helm.history("web"), ["superseded", "failed", "deployed"]);
  assert.deepEqual(place.helm.verbs.slice(-2), ["rollback web", "get web"]);
  assert.equal(place.helm.calls.at(-2)?.[2], "1");
  assert.ok(place.said.includes('"the shop" goes back to revision 1'));
});

Deno.test("an upgrade that Helm refuses goes back, too, and Helm's reason is kept", async () => {
  await using place = new Place();
  await place.install(text("old"));
  const refusal = 'UPGRADE FAILED: Service "web" is invalid: spec.clusterIP: field is immutable';
  place.helm.intercept = ([verb]) => {
    if (verb !== "upgrade") return undefined;
    place.helm.leave("web", "shop", "failed");
    return failure(refusal);
  };
  await assert.rejects(
    place.install(text("new")),
    isError(
      "RolledBack",
      /release web in namespace shop: .*field is immutable/,
      /back at revision 1/,
    ),
  );
});

Deno.test("Helm's refusal of a first install is told as it is, with what is there of it", async () => {
  for (const isThere of [true, false]) {
    await using place = new Place();
    place.helm.intercept = () => {
      if (isThere) place.helm.leave("web", "shop", "failed");
      return failure("INSTALL FAILED: exceeded quota: pods");
    };
    const kept = isThere ? /stays as it is/ : /is not there/;
    await assert.rejects(place.install(text("1")), (error) => {
      isError("ObjectRefused", /release web in namespace shop: .*quota: pods$/, kept)(error);
      assert.equal((error as DeployError).disposition, "retry");
      assert.equal((error as DeployError).cause, undefined);
      assert.match((error as DeployError).remedy ?? "", /raise the ResourceQuota/);
      return true;
    });
  }
});

Deno.test("what Helm refuses before it changes anything is not undone, and may be tried again", async () => {
  await using place = new Place();
  await place.install(text("old"));
  place.helm.intercept = ([verb]) =>
    verb === "upgrade" ? failure("UPGRADE FAILED: failed calling webhook x") : undefined;
  await assert.rejects(place.install(text("new")), (error) => {
    isError("WebhookDown", /failed calling webhook/, /stays at revision 1$/)(error);
    assert.equal((error as DeployError).disposition, "retry");
    return true;
  });
  assert.deepEqual(place.helm.history("web"), ["deployed"]);
});

Deno.test("a kind that is not there yet is waited for a while, and then it goes on", async () => {
  const missing = 'INSTALL FAILED: no matches for kind "G" in version "x/v1"';
  for (const attempts of [3, 1_000]) {
    await using place = new Place();
    let left = attempts;
    place.helm.intercept = () => left-- > 0 ? failure(missing) : undefined;
    const done = place.install(text("1"));
    if (attempts === 3) await done;
    else await assert.rejects(done, isError("KindMissing", /no matches for kind "G"/));
    assert.equal(place.clock.monotonic(), attempts === 3 ? 9_000 : KIND_GRACE);
    assert.ok(place.said.some((line) => /^a kind is waited for: .*"G"/.test(line)));
  }
});

Deno.test("the Job of a hook that failed says what it said last", async () => {
  await using place = new Place();
  const containers = [{ name: "c", state: { terminated: { exitCode: 3 } } }];
  const labels = { "batch.kubernetes.io/job-name": "migrate" };
  place.api.put({
    ...{ apiVersion: "v1", kind: "Pod", metadata: { name: "m-1", namespace: "shop", labels } },
    status: { containerStatuses: containers },
  } as never);
  place.api.logs.set("m-1", "connecting\nno database\n");
  place.helm.intercept = () =>
    failure("failed pre-install: resource Job/shop/migrate not ready. status: Failed");
  const said =
    /Job\/shop\/migrate .*; pod m-1, container c ended with code 3; it said last: .*no database$/;
  await assert.rejects(place.install(text("1")), isError("HookFailed", said));
});

Deno.test("when its time is up a release goes back, and Helm's half-done revision has failed", async () => {
  await using place = new Place();
  await place.install(text("old"));
  const controller = new AbortController();
  place.helm.intercept = ([verb]) => {
    if (verb !== "upgrade") return undefined;
    place.helm.leave("web", "shop", "pending-upgrade");
    const message = "it took longer than 1 s";
    controller.abort(new DeployError({ reason: "DeadlineExceeded", message }));
    return failure("context canceled");
  };
  await assert.rejects(
    place.install(text("new"), { limit: controller.signal }),
    isError("RolledBack", /it took longer than 1 s/, /back at revision 1 and ready/),
  );
  assert.deepEqual(place.helm.history("web"), ["superseded", "failed", "deployed"]);
});

Deno.test("after a first install that did not become ready there is nothing to go back to", async () => {
  await using place = new Place();
  for (const history of [["failed"], ["failed", "failed"]]) {
    await assert.rejects(place.install(FAILED_JOB), isError("NotReady", /locked/, /no earlier/));
    assert.deepEqual(place.helm.history("web"), history);
  }
});

Deno.test("what an interruption has left unproven is not gone back to", async () => {
  await using place = new Place();
  await place.install(text("old"));
  const controller = new AbortController();
  place.clock.sleep = () => Promise.resolve(controller.abort());
  const { signal } = controller;
  await assert.rejects(
    place.install(claim("Pending"), { signal }),
    isError("Cancelled", /stopped/),
  );
  assert.deepEqual(place.helm.history("web"), ["superseded", "deployed"]);
  await assert.rejects(place.install(FAILED_JOB), isError("RolledBack", /locked/, /revision 1/));
  assert.equal(place.api.find("configmaps", "text")?.["data"].value, "old");
});

Deno.test("a way back that fails is told together with what failed first", async () => {
  await using place = new Place();
  await place.install(text("old"));
  place.helm.intercept = ([verb]) =>
    verb === "rollback" ? failure("release has no 1 version") : undefined;
  await assert.rejects(
    place.install(FAILED_JOB),
    isError(
      "NotReady",
      /the schema is locked/,
      /could not be brought back to revision 1: .*release has no 1 version/,
    ),
  );
});

Deno.test("the way back has five minutes at most, however long the release may take", async () => {
  await using place = new Place();
  await place.install(claim("Bound"));
  place.helm.intercept = (args) => {
    if (args[0] !== "rollback") return undefined;
    assert.equal(args[args.indexOf("--timeout") + 1], "300s");
    return success();
  };
  await assert.rejects(
    place.install(claim("Lost") + "---\n" + FAILED_JOB, { timeout: 900_000 }),
    isError("NotReady", /locked/, /not be brought back to revision 1: .*Job migrate/),
  );
});

Deno.test("a release that a crash left in the middle is freed first", async () => {
  for (const status of ["pending-install", "pending-upgrade", "pending-rollback"]) {
    await using place = new Place();
    await place.install(text("old"));
    place.helm.leave("web", "shop", status);
    await place.install(text("new"));
    assert.equal(place.api.find("configmaps", "text")?.["data"].value, "new");
    assert.deepEqual(place.helm.history("web"), ["superseded", "deployed"], status);
  }
});

Deno.test("what is no YAML is refused before anything is touched", async () => {
  await using place = new Place();
  await assert.rejects(
    place.install("a: ["),
    isError("PackageBroken", /"the shop" is not readable/, /not applied/),
  );
  assert.deepEqual(place.api.writes, []);
  assert.deepEqual(place.helm.calls, []);
});

Deno.test("what the post-renderer said is the cause, which Helm does not pass on", async () => {
  await using place = new Place();
  place.helm.intercept = ([verb, , chart]) => {
    if (verb !== "upgrade") return undefined;
    Deno.writeTextFileSync(`${chart}/../post-render.json.error`, "line 7 is odd");
    return failure("error while running post render on files: exit status 1");
  };
  await assert.rejects(place.install(text("1")), (error) => {
    assert.ok(error instanceof DeployError);
    assert.equal(error.reason, "PackageBroken");
    assert.equal(error.cause, "line 7 is odd");
    return true;
  });
});

Deno.test("a deployment that is stopped is neither rolled back nor said to have failed", async () => {
  await using place = new Place();
  await place.install(text("old"));
  const controller = new AbortController();
  place.clock.sleep = () => {
    controller.abort(new Error("shutting down"));
    return Promise.resolve();
  };
  const stopped = place.install(claim("Pending"), { signal: controller.signal });
  await assert.rejects(stopped, isError("Cancelled", /was stopped/, /goes on from it/));
  assert.ok(!place.helm.verbs.includes("rollback web"));
});

Deno.test("an API server that refuses is not a reason to go back", async () => {
  await using place = new Place();
  await place.install(text("old"));
  place.api.intercept = ({ path }) =>
    path.endsWith("/configmaps/text")
      ? Response.json({ reason: "Forbidden", message: "no" }, { status: 403 })
      : undefined;
  await assert.rejects(
    place.install(text("new")),
    (error) => error instanceof KubeError && error.reason === "Forbidden",
  );
  assert.ok(!place.helm.verbs.includes("rollback web"));
});

Deno.test("a real chart is rendered for its cluster, and what Helm kept of it is waited for", async () => {
  await using place = new Place();
  const real = { literal: undefined };
  const kubeVersion = "v1.36.3";
  await place.install(text("1"), { kubeVersion }, real);
  assert.deepEqual(place.helm.verbs, ["template web", "upgrade web", "get web"]);
  assert.ok(place.helm.calls[0]?.includes("--dry-run=server"), "the cluster says what it is");
  place.helm.calls.length = 0;
  await place.install(text("1"), { kubeVersion }, real);
  assert.deepEqual(place.helm.verbs, ["upgrade web"], "it is asked what it would do");
  assert.ok(place.helm.calls[0]?.includes("--dry-run=server"));
  assert.deepEqual(place.helm.history("web"), ["deployed"]);
  await assert.rejects(place.install(FAILED_JOB, {}, real), isError("RolledBack", /locked/));
  place.helm.intercept = ([verb, ...args]) =>
    verb === "template" || args.includes("--dry-run=server")
      ? failure("execution error at (c/templates/a.yaml:1:3): no size")
      : undefined;
  place.api.writes.length = 0;
  await assert.rejects(place.install(text("1"), {}, real), isError("PackageBroken", /no size/));
  assert.deepEqual(place.api.writes, []);
});

Deno.test("a chart that the API server cannot be asked about is rendered without it", async () => {
  await using place = new Place();
  const unknown = 'resource mapping not found for name: "a": no matches for kind "Widget"';
  place.helm.intercept = (args) => args.includes("--dry-run=server") ? failure(unknown) : undefined;
  const kubeVersion = "v1.36.3";
  await place.install(text("1", ", namespace: other"), { kubeVersion }, { literal: undefined });
  assert.deepEqual(place.helm.verbs.slice(0, 3), ["template web", "template web", "upgrade web"]);
  const [, alone = []] = place.helm.calls;
  assert.ok(!alone.includes("--dry-run=server"));
  assert.equal(alone[alone.indexOf("--kube-version") + 1], kubeVersion);
  assert.ok(place.api.find("namespaces", "other"), "its namespaces are known all the same");
});

Deno.test("hooks that come last wait for the objects, unless nobody is to wait", async () => {
  const hook = (when: string) =>
    text("1") + "---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: h, annotations: " +
    `{helm.sh/hook: "${when}"}}\n`;
  const rows: [when: string, noWait: boolean, waits: boolean][] = [
    ["post-install", false, true],
    ["pre-install, post-upgrade", false, true],
    ["post-install,pre-delete", true, false],
    ["pre-install", false, false],
    ["post-delete", false, false],
    ["post-rollback", false, false],
  ];
  for (const [when, noWait, waits] of rows) {
    await using place = new Place();
    await place.install(hook(when), {}, { noWait });
    const upgrade = place.helm.calls.find(([verb]) => verb === "upgrade");
    assert.ok(upgrade?.includes(waits ? "--wait=legacy" : "--wait=hookOnly"), when);
  }
});

Deno.test("an object is looked for where it says, else in the release's namespace", () => {
  const object = { apiVersion: "v1", kind: "Pod" };
  const rows: [namespace: string | undefined, expected: string][] = [
    [undefined, "shop"],
    ["", "shop"],
    ["other", "other"],
  ];
  for (const [given, expected] of rows) {
    const metadata = given === undefined ? { name: "a" } : { name: "a", namespace: given };
    assert.equal(refOf({ ...object, metadata }, "shop").namespace, expected);
  }
});
