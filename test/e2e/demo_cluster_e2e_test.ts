import assert from "node:assert/strict";
import { REPOSITORY_ROOT } from "../../extension/build/go_tools.ts";
import { Cluster, obstacle } from "../cluster/mod.ts";

const MAIN = `${REPOSITORY_ROOT}/test/demo/main.ts`;
/** Milliseconds that the demo may take inside a node. */
const TIMEOUT = 300_000;
const ignore = obstacle() !== undefined;

/** The phase of the verdict that a demo printed. */
function printedPhase(stdout: string): string {
  return JSON.parse(/^\{\n[^]*?^\}$/m.exec(stdout)?.[0] ?? "{}").phase;
}

Deno.test({
  name: "the demo makes a cluster, shows the application's answer, and leaves nothing",
  ignore,
  fn: async () => {
    // A state of its own: somebody may be looking at a demo on this machine.
    const state = await Deno.makeTempDir({ dir: "/var/lib", prefix: "holdfast-demo-test-" });
    try {
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", MAIN, "--no-wait", "--nodes", "2"],
        cwd: REPOSITORY_ROOT,
        env: { HOLDFAST_STATE: state },
        stdin: "null",
      });
      const { code, stdout, stderr } = await child.output();
      const text = new TextDecoder().decode(stdout);
      assert.equal(code, 0, text + new TextDecoder().decode(stderr));
      assert.equal(printedPhase(text), "Ready");
      assert.equal(text.match(/^ {2}http:\S+ {2}hello 0\.1\.0 from pod /gm)?.length, 2);
      assert.match(text, /outside the cluster: 0$/m);
      // The directory of all clusters goes away with the last of them.
      await assert.rejects(Deno.stat(state), Deno.errors.NotFound);
    } finally {
      await Deno.remove(state, { recursive: true }).catch(() => {});
    }
  },
});

Deno.test({
  name: "the demo uses somebody's cluster, and takes away what it brought",
  ignore,
  fn: async () => {
    await using cluster = await Cluster.up({ name: `own-${Deno.pid.toString(36)}` });
    const [node] = cluster.nodes;
    assert.ok(node);
    const demo = (name: string) =>
      node.exec(Deno.execPath(), [
        ...["run", "-A", MAIN, "--no-wait"],
        ...["--kubeconfig", cluster.kubeconfig(node), "--node-name", name],
      ], { timeout: TIMEOUT, env: Deno.env.toObject() });
    const before = await cluster.kubectl(["get", "namespaces", "-o", "name"]);
    const elsewhere = await demo("another-machine");
    assert.equal(elsewhere.code, 1);
    assert.match(elsewhere.stderr, /another-machine, is not a node of the cluster \(node1\)/);
    const { code, stdout, stderr } = await demo(node.name);
    assert.equal(code, 0, stdout + stderr);
    assert.equal(printedPhase(stdout), "Ready");
    assert.equal(await cluster.kubectl(["get", "namespaces", "-o", "name"]), before);
    const webhooks = await cluster.kubectl(["get", "mutatingwebhookconfigurations", "-o", "name"]);
    assert.equal(webhooks, "");
  },
});
