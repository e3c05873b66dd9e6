import assert from "node:assert/strict";
import { DeploySite as Site } from "../../test/fakes/deploy_site.ts";
import { despitePauses } from "../../test/fakes/testing.ts";
import { systemClock } from "../std/mod.ts";
import { MAX_LOGGED_LINES } from "./action_log.ts";

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
