import assert from "node:assert/strict";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { AwakeClock, despitePauses, eventually, loggerOf } from "../../test/fakes/testing.ts";
import { parseDefinition } from "../package/mod.ts";
import { exec, systemClock } from "../std/mod.ts";
import { newState } from "../zarf/mod.ts";
import type { ActionStage } from "./action_text.ts";
import { type ActionContext, runActions } from "./actions.ts";
import { DeployError } from "./errors.ts";
import { DeployJournal, type JournalLine } from "./journal.ts";
import { Scope } from "./scope.ts";
import type { ResolvedVariable } from "./variables.ts";
import { Workspace } from "./workspace.ts";

type Json = Record<string, unknown>;

/** Actions with a workspace of their own; the shell, its children and the files are real. */
class Bench implements AsyncDisposable {
  readonly directory = Deno.makeTempDirSync({ prefix: "holdfast actions " });
  readonly api = new ApiObjects();
  readonly lines: JournalLine[] = [];
  readonly log: string[];
  readonly progress: string[] = [];
  readonly #logger;

  constructor() {
    const { logger, lines } = loggerOf("info");
    this.log = lines;
    this.#logger = logger;
    const tools = `${this.directory}/tools dir`;
    Deno.mkdirSync(tools);
    for (const name of ["kubectl", "helm", "holdfast"]) {
      const script = `#!/bin/sh\necho ${name} "$KUBECONFIG" "$@"\n[ "$1" != fail ]\n`;
      Deno.writeTextFileSync(`${tools}/${name}`, script, { mode: 0o755 });
    }
  }

  /** Runs the actions of one stage of a component; gives what was set. */
  async run(
    actions: readonly Json[],
    options: {
      readonly defaults?: Json;
      readonly variables?: Readonly<Record<string, ResolvedVariable>>;
      readonly stage?: ActionStage;
      readonly more?: Partial<ActionContext>;
    } = {},
  ): Promise<Scope> {
    const { stage = "before", defaults = {}, variables = {}, more = {} } = options;
    const definition = parseDefinition(new TextEncoder().encode(JSON.stringify({
      kind: "ZarfPackageConfig",
      metadata: { name: "shop" },
      constants: [{ name: "WORD", value: "constant" }],
      components: [{ name: "web", actions: { onDeploy: { defaults, [stage]: actions } } }],
    })));
    const [component] = definition.components;
    assert.ok(component);
    const address = { registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" } as const;
    const state = newState({ ...address, random: (length) => new Uint8Array(length).fill(7) });
    const scope = new Scope(definition, new Map(Object.entries(variables)), state);
    await runActions(stage, component, {
      workspace: this.workspace(),
      scope,
      kube: this.api.client,
      kubectl: `${this.directory}/tools dir/kubectl`,
      kubeconfig: "/etc/admin.conf",
      exec,
      clock: systemClock,
      logger: this.#logger,
      journal: this.journal(),
      fillTemplates: () => assert.fail("nothing is a template"),
      onProgress: (phase, message) => this.progress.push(`${phase} ${message}`),
      ...more,
    });
    return scope;
  }

  workspace(): Workspace {
    return Workspace.open({
      root: `${this.directory}/deploy/shop`,
      deployment: "one",
      tools: `${this.directory}/tools dir`,
      holdfast: { command: `${this.directory}/tools dir/holdfast`, args: ["self"] },
    });
  }

  journal(): DeployJournal {
    return new DeployJournal({
      append: (line) => void this.lines.push(structuredClone(line)),
      lines: () => this.lines,
    });
  }

  read(path: string): string {
    return Deno.readTextFileSync(`${this.directory}/deploy/shop/work/${path}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api[Symbol.asyncDispose]();
    Deno.removeSync(this.directory, { recursive: true });
  }
}

const plain = (value: string): ResolvedVariable => ({ value, sensitive: false });
const secret = (value: string): ResolvedVariable => ({ value, sensitive: true });

async function failureOf(work: Promise<unknown>): Promise<DeployError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof DeployError, String(error));
    return error;
  }
  assert.fail("it succeeded");
}

Deno.test("commands run in order, each in the shell, and the first failure ends them", async () => {
  await using bench = new Bench();
  const error = await failureOf(bench.run([
    { cmd: "echo one > list" },
    { cmd: "echo two >> list\necho three >> list" },
    { cmd: "false\necho four >> list" },
    { cmd: "echo five >> list" },
  ]));
  assert.equal(bench.read("list"), "one\ntwo\nthree\n");
  assert.equal(error.reason, "ActionFailed");
  assert.equal(error.disposition, "retry");
  assert.equal(
    error.message,
    'action onDeploy.before[2] "false; echo four >> list": failed after 0 retries: exit code 1',
  );
});

Deno.test("a command has what it is given and nothing of the agent's environment", async () => {
  await using bench = new Bench();
  Deno.env.set("HOLDFAST_SECRET", "of the agent");
  await bench.run([{
    cmd: 'env | sort > env; pwd > pwd; echo "$ONE $TWO" > words',
    env: ["TWO=action's a=b", "ignored"],
  }], {
    defaults: { env: ["ONE=default", "TWO=default"] },
    variables: { DOG: plain("ruff"), FILE: { ...plain("text"), given: "/path" } },
  });
  const root = `${bench.directory}/deploy/shop`;
  const lines = bench.read("env").split("\n");
  const environment = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s, 2)));
  const { HOME, TMPDIR, KUBECONFIG, PATH } = environment;
  assert.deepEqual({ HOME, TMPDIR, KUBECONFIG }, {
    HOME: root + "/home",
    TMPDIR: `${root}/tmp`,
    KUBECONFIG: "/etc/admin.conf",
  });
  assert.ok(PATH?.startsWith(`${root}/bin:${bench.directory}/tools dir:`), PATH);
  assert.equal(environment["ZARF_VAR_DOG"], "ruff");
  assert.equal(environment["TF_VAR_dog"], "ruff");
  assert.equal(environment["ZARF_VAR_FILE"], "/path");
  assert.equal(environment["ZARF_CONST_WORD"], "constant");
  assert.equal(environment["zarf_const_word"], "constant");
  assert.equal(environment["ZARF_REGISTRY"], "127.0.0.1:31999");
  assert.equal(environment["HOLDFAST_SECRET"], undefined);
  assert.equal(bench.read("words"), "default action's a=b\n");
  assert.equal(bench.read("pwd"), `${Deno.realPathSync(root)}/work\n`);
});

Deno.test("dir is below the working directory, of the action or else of the defaults", async () => {
  await using bench = new Bench();
  const run = (action: Json) => bench.run([action], { defaults: { dir: "a" } });
  Deno.mkdirSync(`${bench.workspace().work}/a`);
  Deno.mkdirSync(`${bench.workspace().work}/b`);
  await run({ cmd: "touch default" });
  bench.lines.length = 0;
  await run({ cmd: "touch own", dir: "/b" });
  bench.lines.length = 0;
  await run({ cmd: "touch none", dir: "" });
  assert.deepEqual(["a/default", "b/own", "none"].map(bench.read.bind(bench)), ["", "", ""]);
  bench.lines.length = 0;
  const error = await failureOf(run({ cmd: "true", dir: "nowhere" }));
  assert.match(error.message, /cannot be started in .*nowhere: /);
});

Deno.test("what a command prints becomes variables, which what follows sees", async () => {
  await using bench = new Bench();
  const scope = await bench.run([
    { cmd: "echo; echo '  meow '; echo", setVariables: [{ name: "CAT", autoIndent: true }] },
    { cmd: 'echo "the cat says ${ZARF_VAR_CAT}"', setVariables: [{ name: "said" }, { name: "B" }] },
    {
      cmd: "printf 'of the file' > file.txt; echo file.txt",
      setVariables: [
        { name: "FILE", type: "file" },
      ],
    },
    { cmd: "echo 1", setValues: [{ key: ".a.b" }, { key: ".c", type: "json" }] },
  ]);
  assert.deepEqual(Object.fromEntries(scope.variables), {
    CAT: { value: "meow", autoIndent: true, sensitive: false },
    SAID: { value: "the cat says meow", autoIndent: false, sensitive: false },
    B: { value: "the cat says meow", autoIndent: false, sensitive: false },
    FILE: { value: "of the file", given: "file.txt", autoIndent: false, sensitive: false },
  });
  assert.equal(scope.templates.get("###ZARF_VAR_CAT###")?.value, "meow");
  assert.deepEqual(scope.values, [
    { set: { path: ".a.b", text: "1", type: "string" } },
    { set: { path: ".c", text: "1", type: "json" } },
  ]);
});

Deno.test("output that cannot be what it is to become is a failure, and is not shown", async () => {
  const rows: [action: Json, expected: RegExp][] = [
    [
      { setVariables: [{ name: "X", pattern: "^\\d+$" }] },
      /variable X does not match "\^\\\\d\+\$"$/,
    ],
    [
      { setValues: [{ key: ".k", type: "json" }] },
      /value "\.k" is not set: the output is not JSON$/,
    ],
    [
      { setValues: [{ key: ".k", type: "yaml" }] },
      /value "\.k" is not set: the output is not YAML$/,
    ],
    [{ setValues: [{ key: "k" }] }, /value "k" is not set: its path does not begin with a dot$/],
    [{ setValues: [{ key: ".k", type: "toml" }] }, /value "\.k" is not set: "toml" is no type$/],
  ];
  for (const [action, expected] of rows) {
    await using bench = new Bench();
    const error = await failureOf(bench.run([
      { description: "d", cmd: "echo 'a: b: invalid'", ...action },
    ]));
    assert.match(error.message, expected);
    assert.doesNotMatch(error.message, /invalid/);
  }
});

Deno.test("more output than can be kept becomes no variable, but is no failure without one", async () => {
  await using bench = new Bench();
  const cmd = "head -c 1048577 /dev/zero | tr '\\0' x";
  await bench.run([{ cmd, mute: true }]);
  bench.lines.length = 0;
  const error = await failureOf(bench.run([{ cmd, mute: true, setVariables: [{ name: "X" }] }]));
  assert.match(error.message, /it printed 1048577 bytes, the limit is 1048576$/);
});

Deno.test("a command is tried again at once, as often as it says", async () => {
  await using bench = new Bench();
  const cmd = "echo x >> tries; [ $(wc -l < tries) -eq 3 ]";
  using clock = new AwakeClock();
  await bench.run([{ cmd, maxRetries: 2 }]);
  assert(clock.monotonic() < 3_000);
  assert.equal(bench.read("tries"), "x\nx\nx\n");
  bench.lines.length = 0;
  const error = await failureOf(
    bench.run([{ description: "never", cmd: "echo y >> more; exit 7" }], {
      defaults: { maxRetries: 1 },
    }),
  );
  assert.match(error.message, /"never": failed after 1 retries: exit code 7$/);
  assert.equal(bench.read("more"), "y\ny\n");
});

Deno.test("the time of an action counts over all its attempts, and ends all that it started", async () => {
  await using bench = new Bench();
  const started = performance.now();
  const error = await failureOf(bench.run([{
    cmd: "echo x >> tries\n(setsid sleep 71 & echo $! >> pids; sleep 72 & echo $! >> pids; wait)\n",
    maxTotalSeconds: 1,
    maxRetries: 5,
  }]));
  assert.match(error.message, /: timed out after 1 s$/);
  assert(performance.now() - started < 60_000, "it waits for none of them");
  assert.equal(bench.read("tries"), "x\n");
  for (const pid of bench.read("pids").trim().split("\n")) await eventually(() => ended(pid));
});

Deno.test("quick failures are tried until the time is up", () =>
  despitePauses(async () => {
    await using bench = new Bench();
    const error = await failureOf(bench.run([
      { cmd: "sleep 0.3; echo no >&2; false", maxTotalSeconds: 1, maxRetries: 100 },
    ]));
    assert.match(error.message, /timed out after 1 s: exit code 1: no$/);
  }));

Deno.test("a stop ends all that an action has started, and is no failure", async () => {
  await using bench = new Bench();
  const stop = new AbortController();
  const running = failureOf(bench.run([
    { cmd: "setsid sleep 73 & echo $! > pids; echo $$ >> pids; wait" },
  ], { more: { signal: stop.signal } }));
  await eventually(() => {
    try {
      return bench.read("pids").split("\n").length === 3;
    } catch {
      return false;
    }
  });
  stop.abort(new Error("shutting down"));
  assert.equal((await running).reason, "Cancelled");
  for (const pid of bench.read("pids").trim().split("\n")) await eventually(() => ended(pid));
  assert.deepEqual(bench.lines.map(({ state }) => state), ["begin"]);
});

Deno.test("what is printed is logged as it is, but never a secret", async () => {
  await using bench = new Bench();
  const error = await failureOf(bench.run([
    { cmd: "echo out; echo err >&2" },
    { cmd: "echo muted", mute: true },
    {
      cmd: "echo generated-password; echo said >&2",
      setVariables: [
        { name: "NEW", sensitive: true },
      ],
    },
    { cmd: 'echo "is $ZARF_VAR_NEW and $ZARF_VAR_KEY of $ZARF_REGISTRY_AUTH_PUSH"' },
    { description: "say hunter2", cmd: "echo wrong hunter2 >&2; exit 3" },
  ], { variables: { KEY: secret("first line\nhunter2"), OPEN: plain("out") } }));
  assert.deepEqual(
    bench.log.map((line) => line.replace(/ component=web/, "")),
    [
      "info  out action=before[0] output=stdout",
      "info  err action=before[0] output=stderr",
      "info  said action=before[2] output=stderr",
      "info  is *** and *** action=before[3] output=stdout",
      "info  *** of *** action=before[3] output=stdout",
      "info  wrong *** action=before[4] output=stderr",
    ].map((line) => line.replace(/action=(\S+)/, 'action="$1"')),
  );
  assert.equal(
    error.message,
    'action onDeploy.before[4] "say ***": failed after 0 retries: exit code 3: wrong ***',
  );
});

Deno.test("a muted command's failure says nothing of its output", async () => {
  await using bench = new Bench();
  const error = await failureOf(
    bench.run([{ description: "d", cmd: "echo token; exit 1" }], { defaults: { mute: true } }),
  );
  assert.match(error.message, /failed after 0 retries: exit code 1$/);
});

Deno.test("zarf is there for kubectl, helm and what Holdfast has of it", async () => {
  await using bench = new Bench();
  const kube = "/etc/admin.conf";
  await bench.run([
    { cmd: "./zarf tools kubectl get pods -o 'x y' > a; ./zarf tools helm list >> a" },
    { cmd: "zarf tools kubectl version > b; kubectl direct >> b; zarf t kubectl t >> b" },
    { cmd: "./zarf tools wait-for pod web > c; zarf version >> c" },
    {
      cmd:
        './zarf tools kubectl fail > d || echo refused >> d; sh -c "./zarf tools kubectl q" >> d',
    },
  ]);
  assert.equal(bench.read("a"), `kubectl ${kube} get pods -o x y\nhelm ${kube} list\n`);
  assert.equal(
    bench.read("b"),
    `kubectl ${kube} version\nkubectl ${kube} direct\nkubectl ${kube} t\n`,
  );
  assert.equal(
    bench.read("c"),
    `holdfast ${kube} self zarf tools wait-for pod web\nholdfast ${kube} self zarf version\n`,
  );
  assert.equal(bench.read("d"), `kubectl ${kube} fail\nrefused\nkubectl ${kube} q\n`);
});

Deno.test("each action is journalled before and after, and what it set is kept before that", async () => {
  await using bench = new Bench();
  await failureOf(bench.run([
    { cmd: "echo v", setVariables: [{ name: "V", sensitive: true }] },
    { cmd: "false" },
  ]));
  assert.deepEqual(bench.lines.map(({ step, state }) => `${state} ${step}`), [
    "begin component/web/before/0",
    "done component/web/before/0",
    "begin component/web/before/1",
  ]);
  assert.ok(!JSON.stringify(bench.lines).includes('"v"'), "no value is in the journal");
  assert.deepEqual(bench.workspace().outcome("component/web/before/0"), {
    variables: [{ name: "V", value: "v", autoIndent: false, sensitive: true }],
    values: [],
  });
});

Deno.test("after an interruption what was done is not run again, and what it set is known", async () => {
  await using bench = new Bench();
  const lines: JournalLine[] = [
    { step: "deployment", state: "begin", detail: { identity: "x", generation: 1 } },
  ];
  bench.lines.push(...lines);
  const actions = [
    { cmd: "echo one >> ran; echo value", setVariables: [{ name: "V" }] },
    { cmd: "echo two-$ZARF_VAR_V >> ran; [ -e allowed ]" },
  ];
  await failureOf(bench.run(actions));
  Deno.writeTextFileSync(`${bench.workspace().work}/allowed`, "");
  const scope = await bench.run(actions);
  assert.equal(bench.read("ran"), "one\ntwo-value\ntwo-value\n");
  assert.equal(scope.variables.get("V")?.value, "value");
});

Deno.test("waits look at the cluster and the network, with variables put in", async (t) => {
  await using bench = new Bench();
  bench.api.put(namespace("shop"));
  const kinds = [["configmaps", "ConfigMap"], ["pods", "Pod"]].map(([resource, kind]) => ({
    resource,
    responseKind: { kind },
    scope: "Namespaced",
  }));
  bench.api.intercept = ({ path }) =>
    path !== "/api" && path !== "/apis" ? undefined : Response.json({
      kind: "APIGroupDiscoveryList",
      items: path === "/apis" ? [] : [{ versions: [{ version: "v1", resources: kinds }] }],
    });
  const metadata = { name: "text", namespace: "shop", labels: { app: "web" } };
  bench.api.put({ apiVersion: "v1", kind: "ConfigMap", metadata });
  const variables = {
    NS: plain("shop"),
    N: plain("text"),
    NAME: plain("none"),
    K: plain("configmap"),
  };
  const cluster = { kind: "$ZARF_VAR_K", name: "${ZARF_VAR_N}", namespace: "$ZARF_VAR_NS" };
  await t.step("one that is there", async () => {
    await bench.run([{ wait: { cluster } }], { variables });
  });
  bench.lines.length = 0;
  await t.step("one that is not, for as long as it says", async () => {
    const wait = { cluster: { ...cluster, name: "$ZARF_VAR_NAME" } };
    const error = await failureOf(bench.run([{ wait, maxTotalSeconds: 1 }], { variables }));
    assert.equal(error.reason, "TimedOut");
    const title = "wait for $ZARF_VAR_K $ZARF_VAR_NAME";
    assert.deepEqual(bench.progress.slice(-2), [
      `Deploying ${title}: running`,
      `Waiting ${title}: ConfigMap none in namespace shop is not there yet`,
    ]);
    assert.equal(
      error.message,
      'action onDeploy.before[0] "wait for $ZARF_VAR_K $ZARF_VAR_NAME": not so within 1 s: ' +
        "ConfigMap none in namespace shop is not there yet",
    );
  });
  bench.lines.length = 0;
  await t.step("a JSON path, with kubectl", async () => {
    const wait = { cluster: { ...cluster, condition: "'{.data.a}'=b" } };
    await bench.run([{ wait }], { variables });
  });
  bench.lines.length = 0;
  await t.step("a port and a page", async () => {
    const stop = new AbortController();
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {}, signal: stop.signal },
      () => new Response("x", { status: 418 }),
    );
    const address = `127.0.0.1:${server.addr.port}`;
    await bench.run([
      { wait: { network: { protocol: "tcp", address: "$ZARF_VAR_A" } } },
      { wait: { network: { protocol: "http", address: "$ZARF_VAR_A/", code: 418 } } },
    ], { variables: { A: plain(address) } });
    bench.lines.length = 0;
    const wait = { network: { protocol: "HTTP", address } };
    const error = await failureOf(bench.run([{ wait, maxTotalSeconds: 1 }]));
    assert.match(error.message, /the status is 418$/);
    stop.abort();
    await server.finished;
  });
  assert.deepEqual(bench.lines.map(({ state }) => state), ["begin"]);
});

Deno.test("templates of actions are filled in by whoever can", async () => {
  await using bench = new Bench();
  const asked: string[] = [];
  const fillTemplates: ActionContext["fillTemplates"] = (templates) => {
    asked.push(...templates.map(({ name, text }) => `${name}: ${text}`));
    return Promise.resolve(templates.map(({ text }) => text.replace("{{ x }}", "filled")));
  };
  await bench.run([
    { description: "d", cmd: "echo {{ x }} > a", template: true },
    { cmd: "echo '{{ x }}' > b" },
  ], { more: { fillTemplates } });
  assert.deepEqual(asked, ['action onDeploy.before[0] "d": echo {{ x }} > a']);
  assert.deepEqual([bench.read("a"), bench.read("b")], ["filled\n", "{{ x }}\n"]);
});

/** Whether a process is gone, or only waits for somebody to ask how it ended. */
function ended(pid: string): boolean {
  try {
    return / Z /.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return true;
  }
}
