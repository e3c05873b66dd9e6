import assert from "node:assert/strict";
import { parseDefinition } from "../package/mod.ts";
import { type ActionRights, checkActions } from "./action_policy.ts";
import { DeployError } from "./errors.ts";

function components(onDeploy: Record<string, unknown>) {
  return parseDefinition(new TextEncoder().encode(JSON.stringify({
    kind: "ZarfPackageConfig",
    metadata: { name: "shop" },
    components: [{ name: "first" }, { name: "web", actions: { onDeploy } }],
  }))).components;
}

function refusal(onDeploy: Record<string, unknown>, rights: ActionRights): string {
  try {
    checkActions(components(onDeploy), rights);
    return "";
  } catch (error) {
    assert.ok(error instanceof DeployError);
    assert.equal(error.disposition, "terminal");
    assert.equal(error.kept, "the cluster was not touched");
    return `${error.reason}: ${error.message}`;
  }
}

Deno.test("commands run as policy and signature allow", () => {
  const command = { after: [{ wait: { cluster: { kind: "pod" } } }, { cmd: "x" }] };
  const name = 'ActionsRefused: component "web": action onDeploy.after[1] "x" may not run: ';
  const rows: [policy: ActionRights["policy"], trusted: boolean, expected: string][] = [
    ["always", true, ""],
    ["always", false, ""],
    ["trusted", true, ""],
    ["trusted", false, `${name}no trusted key has signed the package (actions: trusted)`],
    ["never", true, `${name}no actions are run here (actions: never)`],
    ["never", false, `${name}no actions are run here (actions: never)`],
  ];
  for (const [policy, trusted, expected] of rows) {
    assert.equal(refusal(command, { policy, trusted }), expected);
  }
});

Deno.test("waits are allowed under every policy, and what runs on failure is a command, too", () => {
  const never = { policy: "never", trusted: false } as const;
  assert.equal(refusal({ before: [{ wait: { network: { protocol: "tcp" } } }] }, never), "");
  assert.match(refusal({ onFailure: [{ cmd: "x" }] }, never), /onDeploy\.onFailure\[0\] "x"/);
  assert.match(refusal({ onSuccess: [{ cmd: "x" }] }, never), /onDeploy\.onSuccess\[0\] "x"/);
});

Deno.test("another shell, and a wait for nothing, are refused by name", () => {
  const always = { policy: "always", trusted: false } as const;
  const rows: [onDeploy: Record<string, unknown>, expected: RegExp | undefined][] = [
    [{ before: [{ cmd: "x", shell: { linux: "sh" } }] }, undefined],
    [{ before: [{ cmd: "x", shell: { windows: "pwsh" } }] }, undefined],
    [
      { before: [{ cmd: "x", shell: { linux: "bash" } }] },
      /^ActionsRefused: component "web": .*before\[0\] "x" asks for the shell "bash"/,
    ],
    [{ defaults: { shell: { linux: "zsh" } }, before: [{ cmd: "x" }] }, /"zsh"/],
    [{ defaults: { shell: { linux: "zsh" } }, before: [{ cmd: "x", shell: {} }] }, undefined],
    [{ defaults: { shell: { linux: "zsh" } } }, undefined],
    [{ after: [{ wait: {} }] }, /^PackageBroken: component "web": .*waits for nothing/],
  ];
  for (const [onDeploy, expected] of rows) {
    const said = refusal(onDeploy, always);
    if (expected === undefined) assert.equal(said, "", JSON.stringify(onDeploy));
    else assert.match(said, expected);
  }
});
