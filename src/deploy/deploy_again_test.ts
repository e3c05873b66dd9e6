import assert from "node:assert/strict";
import { DeploySite as Site } from "../../test/fakes/deploy_site.ts";
import { TestClock } from "../../test/fakes/testing.ts";
import type { DeployContext, DeployPackage } from "./context.ts";

/** Two components; the second one stops until it is let through. */
function interrupted(site: Site): DeployPackage {
  const gate = `[ -e '${site.dir}/gate' ]`;
  return site.package([
    {
      name: "one",
      actions: {
        onDeploy: {
          before: [
            { ...site.say("one", "echo secret-1"), setVariables: [{ name: "V", sensitive: true }] },
          ],
        },
      },
    },
    {
      name: "two",
      actions: {
        onDeploy: { before: [site.say("two"), site.say("gate $ZARF_VAR_V", gate)] },
      },
    },
  ]);
}

/** Ends a deployment in the second component as a crash would: nothing is journalled any more. */
async function crash(site: Site, pkg: DeployPackage): Promise<void> {
  const lines = site.lines;
  let dead = false;
  await assert.rejects(site.deploy(pkg, {
    journal: {
      append: (line) => {
        if (!dead) lines.push(structuredClone(line));
        if (line.step === "component/two/before/1") dead = true;
        if (dead) throw new Error("killed");
      },
      lines: () => lines,
    },
  }));
}

Deno.test("after an interruption a deployment goes on where it was, with what was set", async () => {
  await using site = await Site.ready();
  const pkg = interrupted(site);
  await crash(site, pkg);
  assert.deepEqual(site.said(), ["one", "two"]);
  const upgrades = () => site.helm.verbs.filter((verb) => verb.startsWith("upgrade")).length;
  assert.equal(upgrades(), 1);
  Deno.writeTextFileSync(`${site.dir}/gate`, "");
  const { generation, components } = await site.deploy(pkg);
  assert.deepEqual([generation, components], [2, ["one", "two"]]);
  assert.deepEqual(site.said(), ["one", "two", "gate secret-1"]);
  assert.equal(upgrades(), 2, "the first component's release is not installed again");
  assert.deepEqual(await site.recorded(), ["one Succeeded 1", "two Succeeded 2"]);
  assert.equal(site.api.find("configmaps", "two")?.["data"].value, "secret-1");
});

Deno.test("after an interruption pods wait for the same marker as before, in a new deployment for another", async () => {
  await using site = await Site.ready();
  const clock = new TestClock();
  clock.advance(1_700_000_000_000);
  const pkg = site.package([
    { name: "one" },
    { name: "two", actions: { onDeploy: { before: [{ cmd: `[ -e '${site.dir}/gate' ]` }] } } },
    { name: "three" },
  ], {
    "components/one/manifests/m-0.yaml": "apiVersion: v1\nkind: ConfigMap\n" +
      'metadata: {name: one}\ndata: {value: "###ZARF_DATA_INJECTION_MARKER###"}\n',
    "components/three/manifests/m-0.yaml": "apiVersion: v1\nkind: ConfigMap\n" +
      'metadata: {name: three}\ndata: {value: "###ZARF_DATA_INJECTION_MARKER###"}\n',
  });
  const marker = (name: string) => site.api.find("configmaps", name)?.["data"].value;
  await site.failure(pkg, { clock });
  assert.equal(marker("one"), ".zarf-injection-1700000000");
  clock.advance(5_000);
  Deno.writeTextFileSync(`${site.dir}/gate`, "");
  await site.deploy(pkg, { clock });
  assert.equal(marker("three"), ".zarf-injection-1700000000");
  clock.advance(5_000);
  await site.deploy(pkg, { clock });
  assert.match(marker("one"), /^\.zarf-injection-17000000(1\d)$/);
  assert.equal(marker("three"), marker("one"));
});

Deno.test("an interrupted deployment begins anew when it is another one", async (t) => {
  const rows: [
    name: string,
    change: (site: Site) => void | Promise<void>,
    more?: Partial<DeployContext>,
  ][] = [
    ["with other variables", () => {}, { variables: { OTHER: "x" } }],
    ["with other values", () => {}, { values: [{ yaml: "a: 1" }] }],
    ["that was wished for anew", () => {}, { wish: "2" }],
    ["after somebody else's", async (site) => {
      const [secret] = site.api.all("secrets").filter((one) =>
        one.metadata.name === "zarf-package-shop"
      );
      assert.ok(secret);
      const record = JSON.parse(atob(secret["data"]["data"]));
      secret["data"]["data"] = btoa(JSON.stringify({ ...record, generation: 5 }));
      site.api.put(secret);
      await Promise.resolve();
    }],
    [
      "whose outcomes are lost",
      (site) => Deno.removeSync(`${site.dir}/deploy`, { recursive: true }),
    ],
  ];
  for (const [name, change, more] of rows) {
    await t.step(name, async () => {
      await using site = await Site.ready();
      const pkg = interrupted(site);
      await crash(site, pkg);
      await change(site);
      Deno.writeTextFileSync(`${site.dir}/gate`, "");
      const { generation } = await site.deploy(pkg, more);
      assert.ok(generation > 2);
      assert.deepEqual(site.said(), ["one", "two", "one", "two", "gate secret-1"]);
    });
  }
});

Deno.test("after a failure the component is done again from its start, those before it are not", async () => {
  await using site = await Site.ready();
  const pkg = interrupted(site);
  await site.failure(pkg);
  assert.deepEqual(site.said(), ["one", "two", "gate secret-1"]);
  Deno.writeTextFileSync(`${site.dir}/gate`, "");
  assert.equal((await site.deploy(pkg)).generation, 2);
  assert.deepEqual(site.said(), ["one", "two", "gate secret-1", "two", "gate secret-1"]);
});

Deno.test("a deployment that has ended is done anew as a whole", async () => {
  await using site = await Site.ready();
  const pkg = site.package([{ name: "a", actions: { onDeploy: { before: [site.say("x")] } } }]);
  for (const time of [1, 2]) {
    assert.equal((await site.deploy(pkg)).generation, 1, "nothing in the cluster has changed");
    assert.equal(site.said().length, time);
  }
});

Deno.test("what an interrupted action has left running is ended before anything is done", async () => {
  await using site = await Site.ready();
  const mark = crypto.randomUUID();
  const left = new Deno.Command("/bin/sleep", {
    args: ["74"],
    env: { HOLDFAST_ACTION: mark },
    clearEnv: true,
  }).spawn();
  const other = new Deno.Command("/bin/sleep", {
    args: ["75"],
    env: { HOLDFAST_ACTION: `${mark}2` },
    clearEnv: true,
  }).spawn();
  site.lines.push(
    { step: "deployment", state: "begin", detail: { identity: "x", generation: 1 } },
    { step: "component/a/before/0", state: "begin", detail: { mark } },
  );
  await site.deploy(site.package([{ name: "a" }]));
  assert.equal((await left.status).signal, "SIGKILL");
  other.kill("SIGTERM");
  assert.equal((await other.status).signal, "SIGTERM", "it is nobody's");
});

Deno.test("a stop runs nothing of what follows a failure", async () => {
  await using site = await Site.ready();
  const stop = new AbortController();
  const pkg = site.package([{
    name: "a",
    actions: {
      onDeploy: { before: [site.say("x", "sleep 76")], onFailure: [site.say("failure")] },
    },
  }]);
  const running = site.failure(pkg, { signal: stop.signal });
  while (site.said().length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  stop.abort(new Error("shutting down"));
  assert.equal((await running).reason, "Cancelled");
  assert.deepEqual(site.said(), ["x"]);
  assert.deepEqual(await site.recorded(), ["a Deploying 1"]);
});
