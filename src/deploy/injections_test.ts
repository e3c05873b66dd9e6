import assert from "node:assert/strict";
import { writePackage } from "../../test/e2e/support/deploy_fixture.ts";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { eventually } from "../../test/fakes/testing.ts";
import type { KubeObject } from "../kube/mod.ts";
import type { ZarfComponent } from "../package/mod.ts";
import type { Exec } from "../std/mod.ts";
import { newState } from "../zarf/mod.ts";
import type { DeployContext, DeployPackage } from "./context.ts";
import { DeployError } from "./errors.ts";
import { withInjections } from "./injections.ts";
import { DeployJournal } from "./journal.ts";
import { Scope } from "./scope.ts";

const MARKER = ".zarf-injection-1700000000";

/** A component that injects, an API server in memory, and a kubectl that takes all data. */
class Scene implements AsyncDisposable {
  readonly api = new ApiObjects();
  readonly dir = Deno.makeTempDirSync({ prefix: "holdfast injections " });
  readonly pkg: DeployPackage;
  readonly component: ZarfComponent;
  /** What kubectl was called for: `one tar`. */
  readonly calls: string[] = [];
  /** Where data has been read to its end, by its first file. */
  readonly sent: string[] = [];
  running = 0;
  most = 0;
  failure: string | undefined;
  hold: Promise<void> = Promise.resolve();

  constructor(count = 1, files: (at: number) => string = (at) => `data/${at}/target-${at}/f`) {
    this.api.put(namespace("n"));
    this.pkg = writePackage(this.dir, {
      definition: {
        metadata: { name: "shop" },
        components: [{
          name: "web",
          required: true,
          dataInjections: Array.from({ length: count }, (_, at) => ({
            source: "s",
            target: {
              namespace: "n",
              selector: `app=pod-${at}`,
              container: "loader",
              path: `/to/target-${at}`,
            },
          })),
        }],
      },
      files: Object.fromEntries(
        Array.from({ length: count }, (_, at) => [`components/web/${files(at)}`, `data ${at}`]),
      ),
    });
    this.component = this.pkg.definition.components[0] ?? assert.fail();
  }

  put(name: string, running: boolean): void {
    this.api.put(
      {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, namespace: "n", uid: name, labels: { app: name } },
        spec: { note: MARKER },
        status: {
          phase: running ? "Running" : "Pending",
          initContainerStatuses: [{
            name: "loader",
            state: running ? { terminated: { exitCode: 0 } } : { running: {} },
          }],
        },
      } as KubeObject,
    );
  }

  readonly exec: Exec = async (command, { args = [], env, stdin }) => {
    assert.match(command, /\/tools\/kubectl$/);
    assert.equal(env["KUBECONFIG"], "/kubeconfig");
    const at = args.indexOf("--");
    const pod = args.slice(0, at).at(-3) ?? "";
    this.calls.push(`${pod} ${args[at + 1]}`);
    this.most = Math.max(this.most, ++this.running);
    await this.hold;
    let text = "";
    const chunks = stdin as AsyncIterable<Uint8Array> | undefined;
    if (chunks !== undefined) {
      for await (const chunk of chunks) text += new TextDecoder("latin1").decode(chunk);
    }
    this.running--;
    const stderr = this.failure ?? "";
    if (stderr !== "") return { code: 1, timedOut: false, stdout: "", stderr };
    if (text.includes(MARKER)) this.put(pod, true);
    else if (text !== "") this.sent.push(/data \d+/.exec(text)?.[0] ?? text);
    return { code: 0, timedOut: false, stdout: "", stderr };
  };

  with(work: (check: () => void) => Promise<void>, more: Partial<DeployContext> = {}) {
    const state = newState({ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" });
    const scope = new Scope({ constants: [] }, new Map(), state);
    scope.begin(1_700_000_000);
    return withInjections(this.component, {
      pkg: this.pkg,
      context: {
        kube: this.api.client,
        dataDir: this.dir,
        kubeconfig: "/kubeconfig",
        tools: { helm: "/tools/helm", postRenderer: { command: "/x", args: [] } },
        timeout: 1_000,
        exec: this.exec,
        ...more,
      },
      scope,
      journal: new DeployJournal(undefined),
      onProgress: () => {},
    }, work);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api[Symbol.asyncDispose]();
    Deno.removeSync(this.dir, { recursive: true });
  }
}

Deno.test("data goes into pods while the component is applied, and both are waited for", async () => {
  await using scene = new Scene();
  const order: string[] = [];
  await scene.with(async () => {
    scene.put("pod-0", false);
    await eventually(() => scene.sent[0]);
    order.push("applied");
  });
  assert.deepEqual(order, ["applied"]);
  assert.deepEqual(scene.sent, ["data 0"]);
  assert.deepEqual(scene.calls, ["pod-0 mkdir", "pod-0 tar", "pod-0 tar"]);
});

Deno.test("pods that come when everything is applied get their data, too", async () => {
  await using scene = new Scene();
  await scene.with(() => {
    setTimeout(() => scene.put("pod-0", false), 100);
    return Promise.resolve();
  }, { timeout: 20_000 });
  assert.deepEqual(scene.sent, ["data 0"]);
});

Deno.test("each injection has its own data; packages of older Zarf have no numbers", async () => {
  await using scene = new Scene(
    3,
    (at) => at === 1 ? "data/target-1/f" : `data/${at}/target-${at}/f`,
  );
  for (const at of [0, 1, 2]) scene.put(`pod-${at}`, false);
  await scene.with(() => Promise.resolve(), { timeout: 20_000 });
  assert.deepEqual(scene.sent.sort(), ["data 0", "data 1", "data 2"]);
});

Deno.test("four transfers at once are the most", async () => {
  await using scene = new Scene(7);
  for (let at = 0; at < 7; at++) scene.put(`pod-${at}`, false);
  const held = Promise.withResolvers<void>();
  scene.hold = held.promise;
  await scene.with(async () => {
    await eventually(() => scene.running === 4);
    held.resolve();
  }, { timeout: 20_000 });
  assert.equal(scene.most, 4);
  assert.equal(scene.sent.length, 7);
});

Deno.test("an injection that fails ends what waits, and is what is told", async () => {
  await using scene = new Scene(2);
  scene.failure = 'exec: "mkdir": executable file not found in $PATH';
  scene.put("pod-0", false);
  const waiting = scene.with(async (check) => {
    for (;;) {
      check();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
  await assert.rejects(waiting, (error) => {
    assert.ok(error instanceof DeployError);
    assert.match(error.message, /pod pod-0 in namespace n: there is no mkdir in it/);
    return true;
  });
});

Deno.test("what fails beside ends the injections, and is what is told", async () => {
  await using scene = new Scene();
  const failure = new DeployError({ reason: "ChartFailed", message: "no" });
  await assert.rejects(scene.with(() => Promise.reject(failure)), failure);
  assert.deepEqual(scene.calls, []);
});

Deno.test("pods that never come are given up when the time after applying is over", async () => {
  await using scene = new Scene();
  const started = performance.now();
  await assert.rejects(
    scene.with(() => new Promise((resolve) => setTimeout(resolve, 1_500))),
    (error) => error instanceof DeployError && error.reason === "TimedOut",
  );
  assert.ok(performance.now() - started > 2_400);
});

Deno.test("a stop ends it", async () => {
  await using scene = new Scene();
  const stop = new AbortController();
  setTimeout(() => stop.abort(new Error("shutting down")), 50);
  await assert.rejects(
    scene.with(() => Promise.resolve(), { signal: stop.signal, timeout: 60_000 }),
    (error) => error instanceof DeployError && error.reason === "Cancelled",
  );
});

Deno.test("without its data nothing of the component is applied", async () => {
  const wrong = ["data/0/other/f", "data/0/target-0"];
  for (const path of wrong) {
    await using scene = new Scene(1, () => path);
    await assert.rejects(
      scene.with(() => assert.fail("it was applied")),
      (error) => {
        assert.ok(error instanceof DeployError);
        assert.equal(error.reason, "PackageBroken");
        assert.match(error.message, /the data for \/to\/target-0 is not a directory/);
        return true;
      },
      path,
    );
  }
});

Deno.test("a component without injections needs nothing", async () => {
  await using scene = new Scene(0);
  let done = false;
  await scene.with((check) => {
    check();
    done = true;
    return Promise.resolve();
  });
  assert.ok(done);
});
