import assert from "node:assert/strict";
import { ApiObjects } from "../../test/fakes/api_objects.ts";
import { failure, HelmInMemory, success } from "../../test/fakes/helm_in_memory.ts";
import { TestClock } from "../../test/fakes/testing.ts";
import { KubeError } from "../kube/mod.ts";
import { newState } from "../zarf/mod.ts";
import { DeployError } from "./errors.ts";
import { Helm } from "./helm.ts";
import { type InstallContext, installRelease, refOf } from "./install.ts";
import type { PlannedRelease } from "./plan.ts";
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
  const connectStrings = await place.install(chart, { clusterIP: "10.96.0.12" });
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
  await place.install(text("1"), { helm: helm as unknown as Helm }, { noWait: true });
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
    isError("NotReady", /Job migrate .* the schema is locked/, /web stays .* no earlier one/),
  );
  assert.deepEqual(place.helm.verbs, ["upgrade web"]);
  assert.ok(place.api.find("jobs", "migrate"));
});

Deno.test("an upgrade that does not become ready goes back to what was deployed", async () => {
  await using place = new Place();
  await place.install(text("old"));
  await assert.rejects(
    place.install(text("new") + "---\n" + FAILED_JOB),
    isError("RolledBack", /the schema is locked/, /web is back at revision 1 and ready/),
  );
  assert.equal(place.api.find("configmaps", "text")?.["data"].value, "old");
  assert.deepEqual(place.helm.history("web"), ["superseded", "superseded", "deployed"]);
  assert.deepEqual(place.helm.verbs.slice(-2), ["rollback web", "get web"]);
  assert.equal(place.helm.calls.at(-2)?.[2], "1");
  assert.ok(place.said.includes('"the shop" goes back to revision 1'));
});

Deno.test("an upgrade that Helm refuses goes back, too, and Helm's reason is kept", async () => {
  await using place = new Place();
  await place.install(text("old"));
  const refusal = 'UPGRADE FAILED: Service "web" is invalid: spec.clusterIP: field is immutable';
  place.helm.intercept = ([verb]) => verb === "upgrade" ? failure(refusal) : undefined;
  await assert.rejects(
    place.install(text("new")),
    isError(
      "RolledBack",
      /release web in namespace shop: .*field is immutable/,
      /back at revision 1/,
    ),
  );
});

Deno.test("Helm's refusal of a first install is told as it is", async () => {
  await using place = new Place();
  place.helm.intercept = () => failure("INSTALL FAILED: quota exceeded");
  await assert.rejects(place.install(text("1")), (error) => {
    isError("ChartFailed", /release web in namespace shop: .*quota exceeded$/, /stays/)(error);
    assert.equal((error as DeployError).disposition, "retry");
    assert.equal((error as DeployError).cause, undefined);
    return true;
  });
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
  const [template = []] = place.helm.calls;
  assert.equal(template[template.indexOf("--kube-version") + 1], kubeVersion);
  await assert.rejects(place.install(FAILED_JOB, {}, real), isError("RolledBack", /locked/));
  place.helm.intercept = ([verb]) =>
    verb === "template"
      ? failure("execution error at (c/templates/a.yaml:1:3): no size")
      : undefined;
  place.api.writes.length = 0;
  await assert.rejects(place.install(text("1"), {}, real), isError("PackageBroken", /no size/));
  assert.deepEqual(place.api.writes, []);
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
