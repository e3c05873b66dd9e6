import assert from "node:assert/strict";
import { writePackage } from "../../test/e2e/support/deploy_fixture.ts";
import { DeploySite as Site } from "../../test/fakes/deploy_site.ts";
import type { DeployPackage } from "./context.ts";
import type { JournalLine } from "./journal.ts";
import { helmMark } from "./leftovers.ts";
import { rawChartName } from "./raw_chart.ts";

const map = (name: string, value: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {value: "${value}"}\n`;
/** Never ready. */
const CLAIM = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: disk}\n" +
  "status: {phase: Pending}\n";

/** A package of one component with these manifests, each a release of its own. */
function manifests(site: Site, texts: Readonly<Record<string, string>>): DeployPackage {
  return writePackage(site.dir, {
    definition: {
      metadata: { name: "shop", version: JSON.stringify(texts).length.toString() },
      components: [{
        name: "web",
        required: true,
        manifests: Object.keys(texts).map((name) => ({ name, namespace: "shop", files: ["f"] })),
      }],
    },
    files: Object.fromEntries(
      Object.entries(texts).map((
        [name, text],
      ) => [`components/web/manifests/${name}-0.yaml`, text]),
    ),
  });
}

const release = (name: string) => rawChartName("shop", "web", name).release;

/** Deploys until something is waited for, and is stopped there. */
async function stopped(site: Site, pkg: DeployPackage): Promise<void> {
  const stop = new AbortController();
  const { reason } = await site.failure(pkg, {
    signal: stop.signal,
    onProgress: ({ phase }) => phase === "Waiting" && stop.abort(new Error("stopping")),
  });
  assert.equal(reason, "Cancelled");
}

Deno.test("an upgrade that was interrupted goes back to what was there before it", async () => {
  await using site = await Site.ready();
  await site.deploy(manifests(site, { m: map("a", "good") }));
  const bad = manifests(site, { m: `${map("a", "bad")}---\n${CLAIM}` });
  await stopped(site, bad);
  assert.deepEqual(site.helm.history(release("m")), ["superseded", "deployed"], "Helm is content");
  const error = await site.failure(bad);
  assert.equal(error.reason, "RolledBack", error.message);
  assert.match(error.kept ?? "", /back at revision 1 and ready/);
  assert.equal(site.api.find("configmaps", "a")?.["data"].value, "good");
  assert.deepEqual(site.helm.history(release("m")), ["superseded", "failed", "deployed"]);
});

Deno.test("going back that was interrupted is done the next time", async () => {
  await using site = await Site.ready();
  await site.deploy(manifests(site, { m: map("a", "good") }));
  const bad = manifests(site, { m: `${map("a", "bad")}---\n${CLAIM}` });
  let isDead = false;
  const append = (line: JournalLine) => {
    if (isDead) throw new Error("killed");
    site.lines.push(structuredClone(line));
  };
  const killed = site.deploy(bad, {
    onProgress: ({ message }) => {
      if (message.includes("goes back")) isDead = true;
    },
    exec: (command, options) =>
      isDead ? Promise.reject(new Error("killed")) : site.helm.exec(command, options),
    journal: { append, lines: () => site.lines },
  });
  await assert.rejects(killed, /killed|could not be brought back/);
  assert.deepEqual(site.helm.history(release("m")), ["superseded", "failed"]);
  isDead = false;
  const error = await site.failure(bad);
  assert.equal(error.reason, "RolledBack", error.message);
  assert.equal(site.api.find("configmaps", "a")?.["data"].value, "good");
});

Deno.test("a first install that was interrupted has nothing to go back to", async () => {
  await using site = await Site.ready();
  const bad = manifests(site, { m: CLAIM });
  await stopped(site, bad);
  const error = await site.failure(bad);
  assert.equal(error.reason, "TimedOut");
  assert.match(error.kept ?? "", /there is no earlier one/);
  assert.deepEqual(site.helm.history(release("m")), ["failed"]);
});

Deno.test("a release that is done is not looked at again after an interruption", async () => {
  await using site = await Site.ready();
  const service = "apiVersion: v1\nkind: Service\nmetadata: {name: s, labels: " +
    "{zarf.dev/connect-name: shop}, annotations: {zarf.dev/connect-url: /start}}\n";
  const pkg = manifests(site, { one: service, two: CLAIM });
  await stopped(site, pkg);
  site.helm.calls.length = 0;
  const claim = site.api.find("persistentvolumeclaims", "disk") ?? assert.fail();
  site.api.put({ ...claim, status: { phase: "Bound" } });
  const asked: string[] = [];
  site.api.intercept = ({ path }) => {
    asked.push(path);
    return undefined;
  };
  const { connectStrings } = await site.deploy(pkg);
  assert.deepEqual(connectStrings, { shop: { description: "", url: "/start" } });
  assert.deepEqual(site.helm.verbs, [], "and what Helm has applied is what it would apply");
  assert.deepEqual(site.helm.history(release("one")), ["deployed"]);
  assert.deepEqual(asked.filter((path) => path.includes("/services/")), []);
});

/** A component that fails, with something to do before and after it. */
function failing(site: Site): DeployPackage {
  return site.package([{
    name: "web",
    actions: {
      onDeploy: {
        before: [{ cmd: "echo v", setVariables: [{ name: "V" }] }, site.say("before")],
        after: [site.say("after", "exit 4")],
        onFailure: [site.say("one $ZARF_VAR_V"), site.say("two")],
      },
    },
  }]);
}

/** The journal lines after which a deployment of {@linkcode failing} is killed, and what is done then. */
const KILLS: readonly [after: string, said: readonly string[]][] = [
  ["begin failure/web", ["one v", "two"]],
  ["failed component/web", ["one v", "two"]],
  ["begin component/web/onFailure/0", ["one v", "two"]],
  ["done component/web/onFailure/0", ["two"]],
  ["done component/web/onFailure/1", []],
  ["done failure/web", ["before", "after", "one v", "two"]],
];

for (const [after, said] of KILLS) {
  Deno.test(`what follows a failure goes on after a kill at "${after}"`, async () => {
    await using site = await Site.ready();
    const pkg = failing(site);
    const first = await site.failure(pkg);
    const at = site.lines.findIndex(({ step, state }) => `${state} ${step}` === after);
    assert.ok(at > 0);
    site.lines.length = at + 1;
    Deno.removeSync(`${site.dir}/said`);
    const again = await site.failure(pkg);
    assert.deepEqual(
      [again.reason, again.message, again.disposition],
      [first.reason, first.message, first.disposition],
    );
    assert.deepEqual(site.said(), said);
    assert.deepEqual(await site.recorded(), ["web Failed 1"]);
  });
}

Deno.test("a Helm that a killed process has left is ended before anything is done", async () => {
  await using site = await Site.ready();
  const start = (mark: string) =>
    new Deno.Command("/bin/sleep", { args: ["77"], env: { HOLDFAST_ACTION: mark }, clearEnv: true })
      .spawn();
  const [left, other] = [start(helmMark(`${site.dir}/helm`)), start(helmMark("/other/helm"))];
  await site.deploy(manifests(site, { m: map("a", "b") }));
  assert.equal((await left.status).signal, "SIGKILL");
  other.kill("SIGTERM");
  assert.equal((await other.status).signal, "SIGTERM", "it is somebody else's");
});

Deno.test("of an unchanged package an action that was done is not run again after a kill", async () => {
  await using site = await Site.ready();
  const pkg = site.package([{
    name: "web",
    actions: { onDeploy: { before: [site.say("before")], after: [site.say("after")] } },
  }]);
  await site.deploy(pkg, { wish: "1" });
  Deno.removeSync(`${site.dir}/said`);
  let isDead = false;
  const append = (line: JournalLine) => {
    if (isDead) throw new Error("killed");
    site.lines.push(structuredClone(line));
    isDead = line.step === "component/web/before/0" && line.state === "done";
  };
  const killed = site.deploy(pkg, { wish: "2", journal: { append, lines: () => site.lines } });
  await assert.rejects(killed, /killed/);
  site.api.writes.length = 0;
  assert.equal((await site.deploy(pkg, { wish: "2" })).generation, 1);
  assert.deepEqual(site.said(), ["before", "after"]);
  assert.deepEqual(site.api.writes, []);
});
