import assert from "node:assert/strict";
import { Cluster, obstacle } from "../cluster/mod.ts";
import { assertHelloAnswers, eventually, HELLO, HOLDFAST, TestAgent } from "./support/agent.ts";
import { said } from "./support/workloads.ts";

const KUBECONFIG = "/var/agent-tmp/kubeconfig";
const ADMISSION = "127.0.0.1:7471";

/** Milliseconds in which a part has to say it. */
const TIMEOUT = 90_000;

Deno.test({
  name: "an agent whose kubeconfig and webhook port are no good carries on when they are mended",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    await using cluster = await Cluster.up({ name: "trouble" });
    const [node] = cluster.nodes;
    assert.ok(node);
    const agent = new TestAgent(node);
    // Any other program that listens where the webhook should.
    const occupant = await node.spawn(HOLDFAST, [
      "agent",
      "--drop-dir=/var/occupant/drop",
      "--data-dir=/var/occupant/data",
      "--registry-address=127.0.0.1:1999",
      `--status-address=${ADMISSION}`,
    ], { name: "occupant" });
    // JSON, which is YAML too.
    const good = JSON.parse(await node.readFile(cluster.kubeconfig(node)));
    const { pid, status } = await agent.start({ kubeconfig: KUBECONFIG });
    const put = (value: unknown) =>
      Deno.writeTextFile(agent.hostPath(KUBECONFIG), JSON.stringify(value));
    const file = await agent.drop(HELLO);
    const verdictSays = (what: RegExp) =>
      eventually(
        `verdict that says ${what.source}`,
        async () => {
          const verdict = await agent.verdict(file);
          return verdict?.phase === "Accepted" && what.test(verdict.message) ? verdict : undefined;
        },
        60_000,
        async () => `${JSON.stringify(await agent.verdict(file))}\n${await agent.logTail()}`,
      );
    /** The part and the package's verdict both say why. */
    const bothSay = async (why: RegExp) => {
      await said(agent, "cluster", false, why, TIMEOUT);
      assert.match((await verdictSays(why)).message, /waiting for the cluster/);
    };

    await t.step("without the file it takes packages in and says what is missing", async () => {
      await bothSay(/the kubeconfig \/var\/agent-tmp\/kubeconfig cannot be used.*No such file/);
    });
    await t.step("with something else in the file it says so", async () => {
      await put("this is no kubeconfig");
      await bothSay(/is not a kubeconfig/);
    });
    await t.step("with a server that is not there it says so", async () => {
      const [{ name, cluster: known }] = good.clusters;
      const elsewhere = { ...known, server: "https://127.0.0.1:1" };
      await put({ ...good, clusters: [{ name, cluster: elsewhere }] });
      await bothSay(/127\.0\.0\.1:1\b/);
    });
    await t.step("with credentials of nobody it says so", async () => {
      await put({ ...good, users: [{ name: good.users[0].name, user: { token: "nobody" } }] });
      await bothSay(/Unauthorized|401/);
    });
    await t.step("with the right one it goes on, and names the port that is taken", async () => {
      await put(good);
      await said(agent, "cluster", true, /the API server .* answers/, TIMEOUT);
      await said(
        agent,
        "admission webhook",
        false,
        /cannot listen on 127\.0\.0\.1:7471: another program listens there/,
        TIMEOUT,
      );
    });
    await t.step("a package waits as long as its pods would not be changed", async () => {
      const { reason } = await verdictSays(/the admission webhook is not answering/);
      assert.equal(reason, "WebhookNotAnswering");
      const namespaces = await cluster.kubectl(["get", "namespaces", "-o", "name"]);
      assert.doesNotMatch(namespaces, /hello/);
    });
    await t.step("with the port free the package becomes Ready", async () => {
      await occupant.kill();
      await occupant.status;
      await said(agent, "admission webhook", true, /listens on 127\.0\.0\.1:7471/, TIMEOUT);
      const verdict = await agent.settled(file);
      assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await agent.logTail(30)}`);
      await assertHelloAnswers(node);
      assert.equal(await cluster.outsidePackets(), 0);
      assert.equal(agent.process.pid, pid, "it is the same process");
      await agent.stop();
      assert.equal((await status).code, 0);
    });
  },
});
