import assert from "node:assert/strict";
import { DeploySite as Site } from "../../test/fakes/deploy_site.ts";
import { despitePauses, TestClock } from "../../test/fakes/testing.ts";
import { systemClock } from "../std/mod.ts";
import { MAX_LOGGED_LINES } from "./action_log.ts";
import type { DeployContext, DeployPackage } from "./context.ts";
import { deployPackage } from "./deploy.ts";
import { DeployError } from "./errors.ts";

Deno.test("actions, files and releases follow each other as in Zarf", async () => {
  await using site = await Site.ready();
  const { dir } = site;
  site.helm.intercept = ([verb]) => {
    if (verb !== "upgrade") return undefined;
    Deno.writeTextFileSync(`${dir}/said`, "release\n", { append: true });
    return undefined;
  };
  const pkg = site.package([{
    name: "web",
    files: [{ source: "s", target: "file.txt" }],
    actions: {
      onDeploy: {
        onFailure: [site.say("failure")],
        onSuccess: [site.say("success $ZARF_VAR_V")],
        after: [site.say("after"), { cmd: "[ -e file.txt ]" }],
        before: [
          site.say("before"),
          { cmd: "[ ! -e file.txt ]; echo value", setVariables: [{ name: "V" }] },
        ],
      },
    },
  }], { "components/web/files/0/file.txt": "is ###ZARF_VAR_V###" });
  const { generation } = await site.deploy(pkg);
  assert.equal(generation, 1);
  assert.deepEqual(site.said(), ["before", "release", "after", "success value"]);
  assert.equal(site.api.find("configmaps", "web")?.["data"].value, "value");
  assert.deepEqual(await site.recorded(), ["web Succeeded 1"]);
  assert.throws(() => Deno.statSync(`${dir}/deploy/shop`), Deno.errors.NotFound);
  assert.deepEqual(
    site.lines.map(({ step, state }) => `${state} ${step}`).filter((line) =>
      !/release\/|record/.test(line)
    ),
    [
      "begin deployment",
      "begin component/web",
      ...["before/0", "before/1", "files", "after/0", "after/1", "onSuccess/0"].flatMap((step) =>
        ["begin", "done"].map((state) => `${state} component/web/${step}`)
      ),
      "done component/web",
      "done deployment",
    ],
  );
});

Deno.test("variables that one component sets are seen by those after it", async () => {
  await using site = await Site.ready();
  await site.deploy(site.package([
    {
      name: "one",
      actions: { onDeploy: { before: [{ cmd: "echo 1", setVariables: [{ name: "V" }] }] } },
    },
    { name: "two" },
  ]));
  assert.equal(site.api.find("configmaps", "two")?.["data"].value, "1");
});

Deno.test("a failure is followed by what the component has for it, and is the one that is told", async () => {
  await using site = await Site.ready();
  const pkg = site.package([{
    name: "web",
    actions: {
      onDeploy: {
        after: [site.say("after", "exit 4")],
        onSuccess: [site.say("success")],
        onFailure: [site.say("cleaning"), { cmd: "exit 5" }, site.say("never")],
      },
    },
  }, { name: "next", actions: { onDeploy: { before: [site.say("next")] } } }]);
  const error = await site.failure(pkg);
  assert.equal(error.reason, "ActionFailed");
  assert.equal(error.disposition, "retry");
  assert.match(error.message, /^component "web": action onDeploy\.after\[0\] .*exit code 4$/);
  assert.deepEqual(site.said(), ["after", "cleaning"]);
  assert.deepEqual(await site.recorded(), ["web Failed 1"]);
  assert.ok(site.log.some((line) => /what follows a failure failed: .*exit code 5/.test(line)));
});

Deno.test("what follows success comes after the record of it, and its failure is the package's", async () => {
  await using site = await Site.ready();
  const { api } = site;
  const seen: string[] = [];
  const pkg = site.package([{
    name: "web",
    actions: {
      onDeploy: {
        onSuccess: [site.say("success", "exit 6")],
        onFailure: [site.say("cleaning")],
      },
    },
  }]);
  api.onChange = ({ metadata, data }) => {
    if (metadata.name !== "zarf-package-shop") return;
    const text = atob(data["data"]);
    seen.push(`${/"status":"(\w+)"/.exec(text)?.[1]} ${site.said().join()}`);
  };
  const error = await site.failure(pkg);
  assert.match(error.message, /^component "web": action onDeploy\.onSuccess\[0\] .*exit code 6$/);
  assert.deepEqual(site.said(), ["success", "cleaning"]);
  assert.deepEqual(seen.at(-1), "Succeeded ");
  assert.deepEqual(await site.recorded(), ["web Succeeded 1"]);
});

Deno.test("what policy forbids is refused before anything is applied or run", async () => {
  await using site = await Site.ready();
  const rows: [pkg: DeployPackage, more: Partial<DeployContext>, reason: string][] = [
    [
      site.package([{ name: "a" }, {
        name: "b",
        actions: { onDeploy: { before: [site.say("x")] } },
      }]),
      { actions: { policy: "trusted", trusted: false } },
      "ActionsRefused",
    ],
    [
      site.package([{ name: "a", files: [{ source: "s", target: "/usr/x" }] }]),
      { filesRoots: [site.dir] },
      "FilesRefused",
    ],
  ];
  for (const [pkg, more, reason] of rows) {
    const error = await site.failure(pkg, more);
    assert.equal(error.reason, reason);
    assert.equal(error.disposition, "terminal");
  }
  assert.deepEqual([site.said(), site.api.writes, site.helm.calls, site.lines], [[], [], [], []]);
});

Deno.test("nothing is run where nobody has allowed it", async () => {
  await using site = await Site.ready();
  const pkg = site.package([{ name: "a", actions: { onDeploy: { before: [site.say("x")] } } }]);
  const { actions: _, ...context } = site.context();
  await assert.rejects(
    deployPackage(pkg, context),
    (error) => error instanceof DeployError && error.reason === "ActionsRefused",
  );
});

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

/** Waits until an action has said something. */
async function begun(site: Site): Promise<void> {
  while (site.said().length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Processes of this machine that sleep so many seconds. */
function sleepers(seconds: number): number {
  const commands = [...Deno.readDirSync("/proc")].map(({ name }) => {
    try {
      return Deno.readTextFileSync(`/proc/${name}/cmdline`);
    } catch {
      return "";
    }
  });
  return commands.filter((command) => command === `sleep\0${seconds}\0`).length;
}

Deno.test("a component that takes too long is ended with all that it has started, and has failed", () =>
  despitePauses(async () => {
    await using site = await Site.ready();
    const pkg = site.package([
      { name: "base" },
      {
        name: "a",
        actions: {
          onDeploy: {
            before: [site.say("x", "sleep 77 & sleep 77")],
            onFailure: [site.say("failure", "sleep 0.1")],
          },
        },
      },
    ]);
    const limits = { package: 60_000, component: 400 };
    const error = await site.failure(pkg, { limits });
    assert.equal(error.reason, "DeadlineExceeded");
    assert.match(
      error.message,
      /^component "a": it took longer than 400 ms, .*--component-timeout$/,
    );
    assert.match(error.kept ?? "", /component "base" stays deployed/);
    assert.equal(error.disposition, "terminal");
    assert.deepEqual(site.said(), ["x", "failure"]);
    assert.deepEqual(await site.recorded(), ["base Succeeded 1", "a Failed 2"]);
    assert.equal(sleepers(77), 0);
  }));

Deno.test("the limit of a whole deployment is over all components and all attempts", () =>
  despitePauses(async () => {
    const slow = (site: Site) => ({ onDeploy: { before: [site.say("x", "sleep 3")] } });
    for (const used of [0, 50_700]) {
      await using site = await Site.ready();
      const components = ["a", "b", "c"].map((name) => ({ name, actions: slow(site) }));
      const limits = { package: used + 5_500, used, component: 60_000 };
      const error = await site.failure(site.package(components), { limits });
      assert.equal(error.reason, "DeadlineExceeded");
      assert.match(error.message, /^component "b": the deployment took longer than .* ms/);
      assert.equal(site.said().length, 2);
    }
    await using site = await Site.ready();
    const limits = { package: 60_000, used: 60_000, component: 60_000 };
    const pkg = site.package([{ name: "a", actions: slow(site) }]);
    const error = await site.failure(pkg, { limits });
    assert.match(error.message, /^the deployment took longer than 1 min, .*--package-timeout$/);
    assert.deepEqual([site.said(), site.api.writes], [[], []], "nothing is touched any more");
  }));

Deno.test("what prints without end is bounded in the log and ended in time", async () => {
  await using site = await Site.ready();
  const pkg = site.package([{
    name: "a",
    actions: { onDeploy: { before: [{ cmd: "yes endless", maxTotalSeconds: 1 }] } },
  }]);
  const error = await site.failure(pkg, { clock: systemClock });
  assert.equal(error.reason, "ActionFailed");
  assert.match(error.message, /timed out after 1 s: .*endless; endless; endless$/);
  const lines = site.log.filter((line) => line.includes("endless") && line.includes("stdout"));
  assert.equal(lines.length, MAX_LOGGED_LINES);
  assert.equal(site.log.filter((line) => /\d+ more lines of output/.test(line)).length, 1);
});

Deno.test("a newer package lets an action end, and nothing after it is begun or has failed", async () => {
  await using site = await Site.ready();
  const newer = new AbortController();
  const pkg = site.package([
    {
      name: "a",
      actions: {
        onDeploy: {
          before: [
            site.say("x", "sleep 0.3; echo whole >> " + `'${site.dir}/said'`),
            site.say("y"),
          ],
          onFailure: [site.say("failure")],
        },
      },
    },
    { name: "b" },
  ]);
  const running = site.failure(pkg, { newer: newer.signal });
  await begun(site);
  newer.abort();
  const error = await running;
  assert.equal(error.reason, "Cancelled");
  assert.match(error.message, /a newer package of the same name takes its place/);
  assert.deepEqual(site.said(), ["x", "whole"]);
  assert.deepEqual(await site.recorded(), ["a Deploying 1"]);
});

Deno.test("a wait ends at once when a newer package has come", async () => {
  await using site = await Site.ready();
  const newer = new AbortController();
  const wait = { cluster: { kind: "ConfigMap", name: "never", namespace: "shop" } };
  const pkg = site.package([{
    name: "a",
    actions: { onDeploy: { before: [site.say("x"), { wait, maxTotalSeconds: 60 }] } },
  }]);
  const running = site.failure(pkg, {
    newer: newer.signal,
    clock: systemClock,
    onProgress: ({ phase }) => phase === "Waiting" && newer.abort(),
  });
  assert.equal((await running).reason, "Cancelled");
});

Deno.test("data that no pod asks for fails its component, also by the component's limit", async () => {
  await using site = await Site.ready();
  const target = { namespace: "shop", selector: "app=a", container: "c", path: "/data" };
  const pkg = site.package([{ name: "a", dataInjections: [{ source: "s", target }] }], {
    "components/a/data/0/data/file": "x",
  });
  const timedOut = await site.failure(pkg);
  assert.equal(timedOut.reason, "TimedOut");
  assert.match(timedOut.message, /^component "a": data injection into container c of app=a/);
  assert.ok(site.api.find("configmaps", "a"), "its manifests are applied");
  assert.deepEqual(await site.recorded(), ["a Failed 1"]);
  const limits = { package: 60_000, component: 300 };
  const ended = await site.failure(pkg, { timeout: 2 ** 40, limits });
  assert.equal(ended.reason, "DeadlineExceeded");
});
