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
      helm.rollback({ release: "rel", namespace: "ns", timeout: 1_000 }, 3),
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
