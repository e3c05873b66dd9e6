import assert from "node:assert/strict";
import { DeploySite as Site } from "../../test/fakes/deploy_site.ts";
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
