import assert from "node:assert/strict";
import { exec, type ExecOptions } from "../std/mod.ts";
import { DeployError } from "./errors.ts";
import { Helm, reasonOf, withPrivateDirectory } from "./helm.ts";

Deno.test("the useful part of Helm's errors is found", () => {
  const rows: [name: string, stderr: string, expected: string][] = [
    ["one line", "Error: release: not found\n", "release: not found"],
    [
      "warnings before and advice after",
      "level=WARN msg=x\nWARNING: file is group-readable\nError: UPGRADE FAILED: no\n\n" +
      "Use --debug flag to render out invalid YAML\n",
      "UPGRADE FAILED: no",
    ],
    ["a reason over several lines", "Error: INSTALL FAILED: a\nb\n", "INSTALL FAILED: a; b"],
    ["the last of two errors", "Error: first\nError: second\n", "second"],
    ["no error line", "panic: x\ngoroutine 1\n", "panic: x; goroutine 1"],
    ["nothing", "", "helm ended with code 3"],
  ];
  for (const [name, stderr, expected] of rows) {
    assert.equal(reasonOf({ code: 3, stderr }), expected, name);
  }
  assert.equal(reasonOf({ code: 1, stderr: `Error: ${"x".repeat(9_999)}` }).length, 1_500);
});

Deno.test("Helm gets private directories, no inherited variable and no secret in an argument", async () => {
  await withPrivateDirectory(Deno.makeTempDirSync(), async (directory) => {
    const calls: [string, ExecOptions][] = [];
    const helm = new Helm({
      exec: (command, options) => {
        calls.push([command, options]);
        // The real thing, with a program in Helm's place that says what it was given.
        return exec("/usr/bin/env", { ...options, args: [] });
      },
      helm: "/opt/helm",
      home: `${directory}/home`,
      kubeconfig: "/etc/kubeconfig",
      postRenderer: { command: "/opt/hold fast", args: ["post-render"] },
    });
    await helm.upgrade({
      release: "rel",
      namespace: "ns",
      chart: "/c.tgz",
      valuesFiles: ["/v1", "/v2"],
      setFile: "/set",
      settings: `${directory}/settings`,
      schemaValidation: false,
      serverSide: "auto",
      timeout: 1_500,
    });
    const [[command, options] = []] = calls;
    assert.equal(command, "/opt/helm");
    assert.deepEqual(options?.args, [
      "upgrade",
      "rel",
      "/c.tgz",
      "--install",
      "--namespace",
      "ns",
      "--history-max",
      "10",
      "--timeout",
      "2s",
      "--wait=hookOnly",
      "--server-side=auto",
      "--hide-notes",
      "--post-renderer",
      "holdfast",
      "--values",
      "/v1",
      "--values",
      "/v2",
      "--skip-schema-validation",
    ]);
    assert.equal(options?.timeout, 31_500);
    assert.equal(options?.env["KUBECONFIG"], "/etc/kubeconfig");
    assert.equal(options?.env["HOLDFAST_POST_RENDER"], `${directory}/settings`);
    assert.equal(options?.env["HOLDFAST_EXECUTABLE"], "/opt/hold fast");
    assert.equal(options?.env["HOLDFAST_SET"], "/set");
    for (const name of ["HOME", "TMPDIR", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_PLUGINS"]) {
      assert.ok(options?.env[name]?.startsWith(`${directory}/home`), name);
    }
    assert.equal(options?.env["PATH"], undefined);
    const plugin = JSON.parse(
      Deno.readTextFileSync(`${directory}/home/plugins/holdfast/plugin.yaml`),
    );
    assert.deepEqual(plugin.runtimeConfig.platformCommand, [{
      command: "${HOLDFAST_EXECUTABLE}",
      args: ["post-render"],
    }]);
  });
});

Deno.test("a Helm that does not end is ended, and that is said", async () => {
  await withPrivateDirectory(Deno.makeTempDirSync(), async (directory) => {
    const helm = new Helm({
      exec: (_, options) => exec("/bin/sleep", { ...options, args: ["30"], timeout: 100 }),
      helm: "helm",
      home: directory,
      kubeconfig: "",
      postRenderer: { command: "", args: [] },
    });
    await assert.rejects(
      helm.rollback({ release: "rel", namespace: "ns", timeout: 1_000, serverSide: "auto" }, 3),
      (error) => {
        assert.ok(error instanceof DeployError);
        assert.equal(error.reason, "ChartFailed");
        assert.equal(error.disposition, "retry");
        assert.match(error.message, /release rel in namespace ns: it did not end in time/);
        return true;
      },
    );
  });
});

Deno.test("a private directory is nobody else's and is gone afterwards, also after a failure", async () => {
  const parent = Deno.makeTempDirSync();
  let seen = "";
  await assert.rejects(
    withPrivateDirectory(`${parent}/tmp`, (directory) => {
      seen = directory;
      Deno.writeTextFileSync(`${directory}/secret`, "x");
      assert.equal((Deno.statSync(directory).mode ?? 0) & 0o077, 0);
      return Promise.reject(new Error("failed"));
    }),
    /failed/,
  );
  assert.throws(() => Deno.statSync(seen), Deno.errors.NotFound);
  Deno.removeSync(parent, { recursive: true });
});

/** What the real Helm 4.2 wrote, and what a person needs of it. */
const RECORDED: [name: string, stderr: string, expected: RegExp][] = [
  [
    "a chart that says no",
    "Error: execution error at (c/templates/a.yaml:1:3): no size\n\n" +
    "Use --debug flag to render out invalid YAML\n",
    /^execution error at \(c\/templates\/a\.yaml:1:3\): no size$/,
  ],
  [
    "a value that is not there",
    'Error: c/templates/a.yaml:1:10\n  executing "c/templates/a.yaml" at <.Values.x.y>:\n' +
    "    nil pointer evaluating interface {}.y\n\nUse --debug flag to render out invalid YAML\n",
    /^c\/templates.*; executing .* at <\.Values\.x\.y>:; nil pointer evaluating interface/,
  ],
  [
    "YAML that is none",
    "Error: YAML parse error on c/templates/a.yaml: error converting YAML to JSON: yaml: line 1: " +
    "did not find expected node content\n\nUse --debug flag to render out invalid YAML\n",
    /^YAML parse error on c\/templates\/a\.yaml: .* expected node content$/,
  ],
  [
    "values against the schema",
    "Error: values don't meet the specifications of the schema(s) in the following chart(s):\nc:\n" +
    "- at '': missing property 'size'\n\n",
    /^values don't meet .*; c:; - at '': missing property 'size'$/,
  ],
  [
    "no API server",
    'Error: kubernetes cluster unreachable: Get "https://127.0.0.1:1/version": dial tcp ' +
    "127.0.0.1:1: connect: connection refused\n",
    /^kubernetes cluster unreachable: .* connection refused$/,
  ],
  [
    "an older cluster",
    "Error: chart requires kubeVersion: >= 1.30 which is incompatible with Kubernetes v1.20.0\n\n" +
    "Use --debug flag to render out invalid YAML\n",
    /^chart requires kubeVersion: >= 1\.30 which is incompatible with Kubernetes v1\.20\.0$/,
  ],
  [
    "an archive that is none",
    "Error: file '/c.tgz' does not appear to be a gzipped archive; got 'application/octet-stream'\n",
    /^file '\/c\.tgz' does not appear to be a gzipped archive/,
  ],
];

for (const [name, stderr, expected] of RECORDED) {
  Deno.test(`of the real Helm's errors the useful part is kept: ${name}`, () => {
    assert.match(reasonOf({ code: 1, stderr }), expected);
  });
}

/** A Helm whose every call ends like this, and what it was called with. */
async function withHelm<T>(
  result: { code?: number; timedOut?: boolean; stdout?: string; stderr?: string },
  action: (helm: Helm, calls: ExecOptions[], signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const parent = Deno.makeTempDirSync();
  const { signal } = new AbortController();
  try {
    return await withPrivateDirectory(parent, (home) => {
      const calls: ExecOptions[] = [];
      const helm = new Helm({
        exec: (_, options) => {
          calls.push(options);
          return Promise.resolve({ code: 0, timedOut: false, stdout: "", stderr: "", ...result });
        },
        helm: "helm",
        home,
        kubeconfig: "/kubeconfig",
        postRenderer: { command: "/holdfast", args: [] },
        signal,
      });
      return action(helm, calls, signal);
    });
  } finally {
    Deno.removeSync(parent, { recursive: true });
  }
}

const RELEASE = {
  release: "rel",
  namespace: "ns",
  chart: "/dir/c.tgz",
  valuesFiles: ["/v1"],
  settings: "/settings",
  schemaValidation: true,
  serverSide: "false",
  timeout: 60_000,
} as const;

Deno.test("a chart is rendered with its values for the cluster's version, in a minute", async () => {
  await withHelm({ stdout: "kind: A\n" }, async (helm, calls, signal) => {
    assert.equal(await helm.render({ ...RELEASE, kubeVersion: "v1.36.3" }), "kind: A\n");
    assert.equal(await helm.render({ ...RELEASE, schemaValidation: false }), "kind: A\n");
    const values = ["--values", "/v1"];
    assert.deepEqual(calls.map(({ args }) => args), [
      [
        "template",
        "rel",
        "/dir/c.tgz",
        "--namespace",
        "ns",
        ...values,
        "--kube-version",
        "v1.36.3",
      ],
      ["template", "rel", "/dir/c.tgz", "--namespace", "ns", ...values, "--skip-schema-validation"],
    ]);
    for (const call of calls) {
      assert.equal(call.timeout, 60_000);
      assert.equal(call.maxOutput, 64 << 20);
      assert.equal(call.signal, signal);
    }
  });
});

Deno.test("what a chart renders to in the cluster is what the post-renderer was given", async () => {
  await withPrivateDirectory(Deno.makeTempDirSync(), async (directory) => {
    const release = { ...RELEASE, settings: `${directory}/settings` };
    const rows: [given: string | undefined, code: number, expected: string | undefined][] = [
      [undefined, 1, undefined],
      [undefined, 0, "printed"],
      ["given", 0, "given"],
      // It was rendered, and then something else went wrong.
      ["given", 1, "given"],
    ];
    for (const [given, code, expected] of rows) {
      const calls: ExecOptions[] = [];
      const helm = new Helm({
        exec: (_, options) => {
          calls.push(options);
          const copy = options.env["HOLDFAST_POST_RENDER_COPY"] ?? "";
          if (given !== undefined) Deno.writeTextFileSync(copy, given);
          return Promise.resolve({ code, timedOut: false, stdout: "printed", stderr: "no" });
        },
        ...{ helm: "helm", home: `${directory}/home`, kubeconfig: "/kubeconfig" },
        postRenderer: { command: "/holdfast", args: [] },
      });
      assert.equal(await helm.renderForCluster(release), expected, `${given} ${code}`);
      assert.equal(calls[0]?.env["HOLDFAST_POST_RENDER"], release.settings);
      assert.deepEqual(calls[0]?.args?.slice(-3), [
        "--dry-run=server",
        "--post-renderer",
        "holdfast",
      ]);
    }
  });
});

Deno.test("the CRDs of a chart are printed for who asks", async () => {
  await withHelm({}, async (helm, calls) => {
    await helm.render({ ...RELEASE, includeCrds: true });
    assert.ok(calls[0]?.args?.includes("--include-crds"));
  });
});

Deno.test("Helm waits for objects only where hooks come after them", async () => {
  await withHelm({}, async (helm, calls) => {
    for (const waits of [true, false]) await helm.upgrade({ ...RELEASE, waits });
    assert.deepEqual(
      calls.map(({ args }) => args?.find((arg) => arg.startsWith("--wait"))),
      ["--wait=legacy", "--wait=hookOnly"],
    );
  });
});

Deno.test("a chart that cannot be rendered is the package's fault, and named", async () => {
  await withHelm({ code: 1, stderr: RECORDED[0]?.[1] ?? "" }, async (helm) => {
    await assert.rejects(helm.render(RELEASE), (error) => {
      assert.ok(error instanceof DeployError);
      assert.equal(error.reason, "PackageBroken");
      assert.equal(error.disposition, "terminal");
      assert.match(error.message, /^chart c\.tgz cannot be rendered: execution error .* no size$/);
      return true;
    });
  });
});

Deno.test("a chart that is not rendered in time is not the package's fault", async () => {
  await withHelm({ code: 143, timedOut: true }, async (helm) => {
    await assert.rejects(helm.render(RELEASE), (error) => {
      assert.ok(error instanceof DeployError);
      assert.equal(error.reason, "ChartFailed");
      assert.equal(error.disposition, "retry");
      assert.match(error.message, /did not end in time/);
      return true;
    });
  });
});

Deno.test("what a release applied is asked for, and its absence is an error", async () => {
  await withHelm({ stdout: "kind: A\n" }, async (helm, calls) => {
    assert.equal(await helm.manifest(RELEASE), "kind: A\n");
    assert.deepEqual(calls[0]?.args, ["get", "manifest", "rel", "--namespace", "ns"]);
    assert.equal(calls[0]?.env["HOLDFAST_POST_RENDER"], undefined);
  });
  await withHelm({ code: 1, stderr: "Error: release: not found\n" }, async (helm) => {
    await assert.rejects(helm.manifest(RELEASE), /release rel in namespace ns: release: not found/);
  });
});

Deno.test("a release is brought back to one revision, with a time limit", async () => {
  await withHelm({}, async (helm, calls) => {
    await helm.rollback({ ...RELEASE, timeout: 2_001 }, 7);
    assert.deepEqual(calls[0]?.args, [
      "rollback",
      "rel",
      "7",
      "--namespace",
      "ns",
      "--history-max",
      "10",
      "--timeout",
      "3s",
      "--wait=hookOnly",
      "--server-side=false",
      "--cleanup-on-fail",
    ]);
    assert.equal(calls[0]?.timeout, 32_001);
  });
});

Deno.test("values are checked against the chart's schema unless the package says not to", async () => {
  await withHelm({}, async (helm, calls) => {
    await helm.upgrade(RELEASE);
    assert.ok(!calls[0]?.args?.includes("--skip-schema-validation"));
    assert.ok(calls[0]?.args?.includes("--server-side=false"));
  });
});

Deno.test("an upgrade that fails names its release, and may be tried again", async () => {
  const stderr = "Error: UPGRADE FAILED: a\nb\nc\nd\n";
  await withHelm({ code: 1, stderr }, async (helm) => {
    await assert.rejects(helm.upgrade(RELEASE), (error) => {
      assert.ok(error instanceof DeployError);
      assert.equal(error.reason, "ChartFailed");
      assert.equal(error.disposition, "retry");
      assert.match(error.message, /^release rel in namespace ns: UPGRADE FAILED: a; b; c; d$/);
      return true;
    });
  });
});

const PREVIEWED = {
  ...{ release: "rel", namespace: "ns", chart: "/c.tgz", valuesFiles: ["/v1"] },
  ...{ settings: "/settings", schemaValidation: true, serverSide: "auto" as const, timeout: 1_500 },
};

/** A Helm in whose place a program prints `stdout`; what it was called with comes back, too. */
async function previewed(stdout: string, code = 0, more = {}) {
  return await withPrivateDirectory(Deno.makeTempDirSync(), async (directory) => {
    let called: ExecOptions | undefined;
    const helm = new Helm({
      exec: (_, options) => {
        called = options;
        return Promise.resolve({ code, timedOut: false, stdout, stderr: "Error: no cluster\n" });
      },
      helm: "/opt/helm",
      home: `${directory}/home`,
      kubeconfig: "/etc/kubeconfig",
      postRenderer: { command: "/opt/holdfast", args: [] },
    });
    return { preview: await helm.preview({ ...PREVIEWED, ...more }), called };
  });
}

Deno.test("a preview is asked for on the standard input, with the post-renderer's settings", async () => {
  const set = Deno.makeTempFileSync();
  Deno.writeTextFileSync(set, '["a=1"]');
  const answer = {
    ...{ action: "upgrade", revision: 3, pending: [4] },
    objects: [{
      ...{ role: "object", apiVersion: "v1", kind: "Secret", namespace: "ns", name: "s" },
      before: { data: { a: "1" } },
      refused: "no",
    }],
  };
  const { preview, called } = await previewed(JSON.stringify(answer), 0, { setFile: set });
  Deno.removeSync(set);
  assert.deepEqual(preview, answer);
  assert.deepEqual(called?.args, ["preview"]);
  assert.equal(called?.env["HOLDFAST_POST_RENDER"], "/settings");
  assert.equal(called?.env["HOLDFAST_SET"], undefined, "it would become arguments");
  assert.deepEqual(JSON.parse(String(called?.stdin)), {
    ...{ release: "rel", namespace: "ns", chart: "/c.tgz", valuesFiles: ["/v1"] },
    ...{ set: ["a=1"], serverSide: "auto", schemaValidation: true },
  });
});

const NO_PREVIEWS: readonly [string, string, number, RegExp][] = [
  ["Helm's error", "", 1, /^release rel in namespace ns: no cluster$/],
  ["no JSON", "oops", 0, /gave no answer$/],
  ["another answer", '{"action":"delete"}', 0, /gave no answer$/],
];

for (const [name, stdout, code, expected] of NO_PREVIEWS) {
  Deno.test(`a preview fails with ${name}`, async () => {
    await assert.rejects(previewed(stdout, code), (error) => {
      assert.ok(error instanceof DeployError);
      assert.equal(error.reason, "ChartFailed");
      assert.match(error.message, expected);
      return true;
    });
  });
}
