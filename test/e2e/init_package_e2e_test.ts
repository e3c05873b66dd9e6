import assert from "node:assert/strict";
import { Cluster, obstacle } from "../cluster/mod.ts";
import { writePackage } from "../fixtures/make_package.ts";
import { assertHelloAnswers, eventually, HELLO, ROOT, TestAgent } from "./support/agent.ts";
import { servesImage } from "./support/cluster_state.ts";

const SEED = `${ROOT}/dist/seed`;
const SEED_COMPONENT = "zarf-seed-registry";

/** An init package with the registry's image, laid out as `zarf tools` of Zarf 0.84 does. */
async function writeInitPackage(path: string): Promise<void> {
  const { manifests: [{ annotations }] } = JSON.parse(
    await Deno.readTextFile(`${SEED}/index.json`),
  );
  const reference = annotations["org.opencontainers.image.ref.name"];
  await writePackage(path, {
    name: "init",
    version: "v0.84.0",
    layouts: [SEED],
    components: [{
      name: SEED_COMPONENT,
      images: [reference],
      files: { "values/registry-values.yaml": "replicaCount: 1\n" },
    }],
    hooks: { definition: (definition) => definition["kind"] = "ZarfInitConfig" },
  });
}

Deno.test({
  name: "without a seed directory the registry's image comes from a dropped init package",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    await using cluster = await Cluster.up({ name: "init" });
    const [node] = cluster.nodes;
    assert.ok(node);
    const agent = new TestAgent(node);
    await agent.start({ flags: ["--seed-dir=/var/no-such-seed"] });
    const hello = await agent.drop(HELLO);

    await t.step("until then a package waits and says what for", async () => {
      const verdict = await agent.settled(hello, { phases: ["Accepted"] });
      assert.equal(verdict.package?.name, "hello");
      await eventually(
        "verdict that says what for",
        async () => {
          const found = await agent.verdict(hello);
          return found?.reason === "NoSeedImage" ? found : undefined;
        },
        30_000,
        async () => JSON.stringify(await agent.verdict(hello)),
      );
      const said = (await agent.verdict(hello))?.message ?? "";
      assert.match(said, /give --seed-dir, or drop a zarf-init package/);
    });

    await t.step(
      "both become Ready, and the registry runs the image that was dropped",
      async () => {
        const path = `${cluster.plan.layout.state}/zarf-init-amd64-v0.84.0.tar.zst`;
        await writeInitPackage(path);
        const init = await agent.drop(path);
        for (const file of [init, hello]) {
          const verdict = await agent.settled(file);
          assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await agent.logTail(30)}`);
        }
        await servesImage(node, "library/registry", "3.1.2");
        const image = await cluster.kubectl([
          "get",
          "deployment",
          "-n",
          "zarf",
          "zarf-docker-registry",
          "-o",
          "jsonpath={.spec.template.spec.containers[0].image}",
        ]);
        assert.match(image, /^127\.0\.0\.1:31999\/library\/registry:3\.1\.2@sha256:[0-9a-f]{64}$/);
        await assertHelloAnswers(node);
        assert.equal(await cluster.outsidePackets(), 0);
      },
    );
  },
});
