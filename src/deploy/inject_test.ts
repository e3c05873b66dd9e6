import assert from "node:assert/strict";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { TestClock } from "../../test/fakes/testing.ts";
import type { KubeObject } from "../kube/mod.ts";
import type { ZarfDataInjection } from "../package/mod.ts";
import { exec, type ExecResult } from "../std/mod.ts";
import { DeployError } from "./errors.ts";
import { inject, type InjectContext } from "./inject.ts";
import { DeployJournal, type JournalLine } from "./journal.ts";
import type { KubectlInput } from "./transfer.ts";

type Json = Record<string, unknown>;
type Owner = NonNullable<KubeObject["metadata"]["ownerReferences"]>[number];

const MARKER = ".zarf-injection-1700000000";

/** A namespace whose pods' containers are directories of this machine, with its tar and mkdir. */
class Scene implements AsyncDisposable {
  readonly api = new ApiObjects();
  readonly dir = Deno.makeTempDirSync({ prefix: "holdfast inject " });
  readonly lines: JournalLine[] = [
    { step: "deployment", state: "begin", detail: { identity: "x", generation: 1 } },
  ];
  readonly said: string[] = [];
  readonly calls: string[] = [];
  readonly clock = new TestClock();
  readonly stop = new AbortController();
  /** Answers in the container's place where it gives something. */
  instead: (pod: string, command: readonly string[]) => ExecResult | undefined = () => undefined;
  /** Whether a container that has its marker goes on, as one does that waits for it. */
  goesOn = true;

  constructor() {
    this.api.put(namespace("n"));
    Deno.mkdirSync(`${this.dir}/source/below`, { recursive: true });
    Deno.writeTextFileSync(`${this.dir}/source/below/file`, "content");
  }

  put(
    name: string,
    state: Json = { running: {} },
    more: Json = {},
    owner?: Owner,
    restartCount = 0,
  ): void {
    Deno.mkdirSync(`${this.dir}/${name}`, { recursive: true });
    this.api.put(
      {
        apiVersion: "v1",
        kind: "Pod",
        metadata: {
          name,
          namespace: "n",
          uid: `uid-${name}`,
          labels: { app: "a" },
          ...(owner === undefined ? {} : { ownerReferences: [owner] }),
        },
        spec: { initContainers: [{ name: "loader", args: [`/data/${MARKER}`] }] },
        status: {
          phase: "Pending",
          initContainerStatuses: [{ name: "loader", restartCount, state }],
          ...more,
        },
      } as KubeObject,
    );
  }

  /** The pod's init container ends, as it does when the marker is there. */
  pass(name: string): void {
    const owner = this.api.find("pods", name)?.metadata.ownerReferences?.[0];
    this.put(
      name,
      { terminated: { exitCode: 0 } },
      { phase: "Running" },
      owner,
    );
  }

  readonly kubectl: KubectlInput = async (args, timeout, input) => {
    const at = args.indexOf("--");
    const command = args.slice(at + 1);
    const pod = args.slice(0, at).at(-3) ?? "";
    this.calls.push(`${pod} ${command[0]}`);
    const answer = this.instead(pod, command);
    if (answer !== undefined) return answer;
    const words = command.map((word) => word.startsWith("/") ? `${this.dir}/${pod}${word}` : word);
    const result = await exec(words[0] ?? "", {
      args: words.slice(1),
      env: { PATH: "/usr/bin:/bin" },
      timeout,
      ...(input === undefined ? {} : { stdin: input }),
    });
    if (this.goesOn && this.has(pod, MARKER)) this.pass(pod);
    return result;
  };

  /** Whether a pod's directory has something. */
  has(pod: string, path: string): boolean {
    try {
      Deno.lstatSync(`${this.dir}/${pod}/data/${path}`);
      return true;
    } catch {
      return false;
    }
  }

  run(more: Partial<InjectContext> = {}, compress = false): Promise<void> {
    const data: ZarfDataInjection = {
      source: "source",
      compress,
      target: { namespace: "n", selector: "app=a", container: "loader", path: "/data" },
    };
    const deadline = this.clock.monotonic() + 30_000;
    return inject(data, {
      kube: this.api.client,
      kubectl: this.kubectl,
      journal: new DeployJournal({
        append: (line) => void this.lines.push(structuredClone(line)),
        lines: () => this.lines,
      }),
      step: "injection/web/0",
      source: `${this.dir}/source`,
      marker: MARKER,
      timeout: 30_000,
      deadline: () => deadline,
      clock: this.clock,
      signal: this.stop.signal,
      onProgress: (phase, message) => this.said.push(`${phase}: ${message}`),
      ...more,
    });
  }

  async failure(more: Partial<InjectContext> = {}): Promise<DeployError> {
    try {
      await this.run(more);
    } catch (error) {
      assert.ok(error instanceof DeployError, String(error));
      return error;
    }
    assert.fail("it succeeded");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api[Symbol.asyncDispose]();
    Deno.removeSync(this.dir, { recursive: true });
  }
}

for (const compress of [false, true]) {
  Deno.test(`data and then the marker come into every pod, compressed: ${compress}`, async () => {
    await using scene = new Scene();
    for (const name of ["one", "two"]) scene.put(name);
    await scene.run({}, compress);
    for (const name of ["one", "two"]) {
      assert.ok(scene.has(name, "below/file") && scene.has(name, MARKER), name);
    }
    assert.deepEqual(
      scene.calls,
      ["one", "two"].flatMap((pod) => [`${pod} mkdir`, `${pod} tar`, `${pod} tar`]),
    );
    assert.deepEqual(
      scene.lines.slice(1, 5).map(({ step, state }) => `${state} ${step}`),
      [
        "begin injection/web/0/uid-one/0/data",
        "done injection/web/0/uid-one/0/data",
        "begin injection/web/0/uid-one/0/marker",
        "done injection/web/0/uid-one/0/marker",
      ],
    );
    assert.ok(scene.said.includes("Deploying: data goes into pod one"), scene.said.join());
  });
}

Deno.test("pods that come later get their data, as many as their controller will have", async () => {
  await using scene = new Scene();
  const owner = {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    name: "db",
    uid: "s",
    controller: true,
  };
  scene.api.put({
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name: "db", namespace: "n" },
    spec: { replicas: 3 },
  });
  scene.put("db-0", { running: {} }, {}, owner);
  const onProgress = (_: string, message: string) => {
    scene.said.push(message);
    // As the controller does, once the last one runs.
    const [, count] = /^(\d) of 3 pods of StatefulSet db/.exec(message) ?? [];
    if (count !== undefined) scene.put(`db-${count}`, { running: {} }, {}, owner);
  };
  await scene.run({ onProgress });
  for (const name of ["db-0", "db-1", "db-2"]) assert.ok(scene.has(name, MARKER), name);
});

Deno.test("it waits for pods that are not there yet, and says what is missing", async () => {
  await using scene = new Scene();
  const onProgress = (_: string, message: string) => {
    scene.said.push(message);
    if (message.startsWith("no pod")) scene.put("one", { waiting: { reason: "PodInitializing" } });
    if (message.includes("PodInitializing")) scene.put("one");
  };
  await scene.run({ onProgress });
  assert.deepEqual(scene.said.slice(0, 2), [
    `no pod with app=a in namespace n names the file ${MARKER}`,
    "pod one: PodInitializing",
  ]);
});

Deno.test("when no pod ever comes it is given up, once everything is applied", async () => {
  await using scene = new Scene();
  let deadline = Infinity;
  const onProgress = () => void (deadline = scene.clock.monotonic() + 30_000);
  const error = await scene.failure({ deadline: () => deadline, onProgress });
  assert.equal(error.reason, "TimedOut");
  assert.match(
    error.message,
    /container loader of app=a in namespace n: not done within 30 s: no pod/,
  );
});

Deno.test("a container without tar is named at once", async () => {
  await using scene = new Scene();
  scene.put("one");
  scene.instead = (_, [program]) =>
    program !== "tar" ? undefined : {
      code: 1,
      timedOut: false,
      stdout: "",
      stderr: 'error: Internal error: exec: "tar": executable file not found in $PATH: unknown\n',
    };
  const error = await scene.failure();
  assert.equal(error.reason, "InjectionFailed");
  assert.equal(error.disposition, "terminal");
  assert.match(error.message, /container loader of pod one in namespace n: there is no tar in it/);
  assert.deepEqual(scene.calls, ["one mkdir", "one tar"]);
});

Deno.test("what fails is tried again, three times in one pod", async () => {
  for (const [failures, succeeds] of [[2, true], [3, false]] as const) {
    await using scene = new Scene();
    scene.put("one");
    let left: number = failures;
    scene.instead = (_, [program]) =>
      program !== "tar" || left-- <= 0
        ? undefined
        : { code: 1, timedOut: false, stdout: "", stderr: "tar: no space left on device\n" };
    if (succeeds) await scene.run();
    else {
      const error = await scene.failure();
      assert.equal(error.disposition, "retry");
      assert.match(error.message, /tar failed: tar: no space left on device/);
    }
    assert.equal(scene.has("one", MARKER), succeeds);
  }
});

Deno.test("a pod that goes away while data is sent is replaced by the next", async () => {
  await using scene = new Scene();
  scene.put("one");
  scene.instead = (pod, [program]) => {
    if (pod !== "one" || program !== "tar") return undefined;
    scene.api.remove(scene.api.find("pods", "one") ?? assert.fail());
    scene.put("two");
    return { code: 1, timedOut: false, stdout: "", stderr: "pod does not exist\n" };
  };
  await scene.run();
  assert.ok(scene.has("two", MARKER));
});

Deno.test("data that cannot be read is no success", async () => {
  await using scene = new Scene();
  scene.put("one");
  // The archive ends early, and this tar does not mind.
  scene.instead = (_, [program]) => {
    if (program === "tar") return { code: 0, timedOut: false, stdout: "", stderr: "" };
    return undefined;
  };
  const error = await scene.failure();
  assert.match(error.message, /could not be read to its end/);
});

Deno.test("a transfer that does not end is ended by its own limit", async () => {
  await using scene = new Scene();
  scene.put("one");
  scene.instead = (_, [program]) =>
    program === "tar" ? { code: 143, timedOut: true, stdout: "", stderr: "" } : undefined;
  assert.match((await scene.failure()).message, /tar did not end within 30 s/);
});

Deno.test("interrupted before its marker a pod gets everything anew, after it nothing", async () => {
  await using scene = new Scene();
  scene.put("one");
  const died = new Error("killed");
  scene.instead = (_, command) => {
    if (command[0] === "tar" && scene.calls.length === 2) throw died;
    return undefined;
  };
  await assert.rejects(scene.run(), died);
  assert.ok(!scene.has("one", "below/file"));
  scene.instead = () => undefined;
  // Now after the marker has gone, before the journal knows.
  const append = {
    append: (line: JournalLine) => {
      if (line.state === "done" && line.step.endsWith("marker")) throw died;
      scene.lines.push(line);
    },
  };
  await assert.rejects(scene.run({ journal: new DeployJournal(append) }), died);
  assert.ok(scene.has("one", "below/file") && scene.has("one", MARKER));
  scene.calls.length = 0;
  // The kubelet has not said yet that the container went on.
  scene.put("one");
  scene.instead = () => {
    scene.pass("one");
    return { code: 1, timedOut: false, stdout: "", stderr: "container not found\n" };
  };
  await scene.run();
  assert.deepEqual(scene.calls, ["one tar"], "what the pod uses is not sent again");
  scene.calls.length = 0;
  await scene.run();
  assert.deepEqual(scene.calls, [], "the pod went on because of the marker");
});

Deno.test("a marker that got there although its transfer failed counts", async () => {
  await using scene = new Scene();
  scene.put("one");
  scene.instead = (pod) => {
    if (scene.calls.length !== 3) return undefined;
    scene.pass(pod);
    return { code: 1, timedOut: false, stdout: "", stderr: "error: connection lost\n" };
  };
  await scene.run();
  assert.equal(scene.calls.length, 3);
});

Deno.test("a container that was started again gets its data again", async () => {
  await using scene = new Scene();
  scene.put("one");
  scene.goesOn = false;
  const onProgress = (_: string, message: string) => {
    if (!message.includes("does not run yet")) return;
    scene.goesOn = true;
    scene.put("one", { running: {} }, {}, undefined, 1);
  };
  await scene.run({ onProgress });
  assert.equal(scene.calls.length, 6);
});

Deno.test("a container that does not wait for the marker is named", async () => {
  await using scene = new Scene();
  scene.pass("one");
  const error = await scene.failure();
  assert.equal(error.reason, "InjectionFailed");
  assert.match(
    error.message,
    /container loader of pod one in namespace n ended before its data came/,
  );
  assert.match(error.remedy ?? "", /###ZARF_DATA_INJECTION_MARKER###/);
});

Deno.test("pods that share a volume go on together", async () => {
  await using scene = new Scene();
  for (const name of ["one", "two"]) scene.put(name);
  const kubectl: KubectlInput = async (...call) => {
    const result = await scene.kubectl(...call);
    if (scene.has("one", MARKER)) scene.pass("two");
    return result;
  };
  scene.instead = (pod) =>
    pod === "one"
      ? undefined
      : { code: 1, timedOut: false, stdout: "", stderr: "container not found (loader)\n" };
  await scene.run({ kubectl });
  assert.ok(!scene.has("two", "below/file"));
});

Deno.test("a pod that has its data and does not run is waited for", async () => {
  await using scene = new Scene();
  scene.put("one");
  scene.goesOn = false;
  const error = await scene.failure();
  assert.equal(error.reason, "TimedOut");
  assert.match(error.message, /pod one: it has its data and does not run yet/);
  assert.equal(scene.calls.length, 3, "it is sent once");
});

Deno.test("pods that cannot come up end it before its time", async () => {
  await using scene = new Scene();
  scene.put("one", { waiting: { reason: "CreateContainerConfigError", message: "no secret" } });
  const deadline = () => scene.clock.monotonic() + 1_000;
  const error = await scene.failure({ deadline, troubleGrace: 10_000 });
  assert.equal(error.reason, "NotReady");
  assert.match(
    error.message,
    /container loader of app=a in namespace n: its pods cannot .*no secret/,
  );
  assert.equal(scene.clock.monotonic(), 10_000);
});

Deno.test("told to stop it stops", async () => {
  await using scene = new Scene();
  const error = await scene.failure({ onProgress: () => scene.stop.abort() });
  assert.equal(error.reason, "Cancelled");
});
